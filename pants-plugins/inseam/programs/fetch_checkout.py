"""Fetches one locked revision of a git repository.

Usage: fetch_checkout --name DISTRIBUTION --source URL@REVISION#subdirectory=DIR --out TAR
           [--sha256 HEX] [--allow-files]

TAR contains the files of the whole revision, and nothing that depends on the time or the machine.
Credentials are those of git: ~/.netrc, its helpers, or an SSH agent.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.python.checkout import check_out
from inseam.formats.python.repository import parse_revision


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="fetch_checkout", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--sha256", default="")
    parser.add_argument("--allow-files", action="store_true")
    options = parser.parse_args(argv)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    revision = parse_revision(options.source, options.name)
    check_out(options.name, revision, options.sha256, options.out, local=options.allow_files)
