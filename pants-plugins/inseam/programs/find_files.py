"""Finds the names of a project's files of which a lock has only the hashes.

Usage: find_files PROJECT OUT [--index URL]... SHA256...

Writes a JSON object of file names by hash to OUT. Files that no index has are left out.
"""

from __future__ import annotations

import json
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.failure import Failure
from inseam.formats.files import write_whole
from inseam.formats.python.index_page import index_files


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="find_files", description=__doc__)
    parser.add_argument("project")
    parser.add_argument("out", type=Path)
    parser.add_argument("--index", action="append", default=[])
    parser.add_argument("hashes", nargs="+")
    options = parser.parse_args(argv)
    wanted = set(options.hashes)
    files = index_files(options.project, options.index)
    found = {file.sha256: file.name for file in reversed(files) if file.sha256 in wanted}
    if not found:
        why = (
            "None of their files has one of the hashes in the lock."
            if any(file.sha256 for file in files)
            else "They say no hashes of files, without which a requirements file is not enough:"
            " use a uv.lock or a pylock.toml."
        )
        raise Failure(
            f"the configured package indexes do not have the locked files of {options.project}."
            f" {why}"
        )
    write_whole(options.out, json.dumps(found, sort_keys=True).encode())
