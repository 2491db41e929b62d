"""Fetches one locked revision of a git repository.

Usage: fetch_checkout --name DISTRIBUTION --repository URL --out TAR [--revision NAME]
           [--commit ID] [--subdirectory DIR] --sha256 HEX

TAR holds the files of the whole revision, and nothing that depends on the time or the machine.
Credentials are those of git: ~/.netrc, or an SSH agent.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.python.checkout import check_out


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = ArgumentParser(prog="fetch_checkout", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--repository", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--revision", default="")
    parser.add_argument("--commit", default="")
    parser.add_argument("--subdirectory", default="")
    parser.add_argument("--sha256", required=True)
    options = parser.parse_args(argv)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    check_out(
        options.name,
        options.repository,
        options.revision,
        options.commit,
        options.subdirectory,
        options.sha256,
        options.out,
    )
