"""Packs a directory of the repository as the sources of a distribution.

Usage: pack_source DIRECTORY TAR

Equal directories give equal tars.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.python.source_tree import pack


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    directory, out = argv
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    pack(Path(directory), Path(out), "project")
