"""Fetches one locked file from the configured package indexes.

Usage: fetch_indexed PROJECT SHA256 OUT [--index URL]... [--largest BYTES]

OUT, which has the name of the file, appears only after its sha256 has been verified. Credentials
for the indexes come from ~/.netrc, proxies from http_proxy and similar variables.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.download import LARGEST, Gone
from inseam.formats.failure import Failure
from inseam.formats.locked_file import fetch_locked, not_fetched
from inseam.formats.python.index_page import index_files


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="fetch_indexed", description=__doc__)
    parser.add_argument("project")
    parser.add_argument("sha256")
    parser.add_argument("out", type=Path)
    parser.add_argument("--index", action="append", default=[])
    parser.add_argument("--largest", type=int, default=LARGEST)
    options = parser.parse_args(argv)
    name = options.out.name
    files = index_files(options.project, options.index)
    # By its hash, or, if an index has no hashes, by its name.
    urls = [
        file.url
        for file in files
        if file.sha256 == options.sha256 or (not file.sha256 and file.name == name)
    ]
    if not urls:
        another = " They have another file of that name." * any(file.name == name for file in files)
        raise Failure(
            f"the configured package indexes do not have the locked {name}.{another} If the lock"
            " was made from another index, add that to [python-repos].indexes; otherwise lock"
            " again."
        )
    try:
        fetch_locked(urls, options.out, options.sha256, largest=options.largest)
    except Gone as error:
        raise not_fetched(name, error) from None
