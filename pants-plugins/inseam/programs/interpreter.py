"""Extracts CPython from the layers of a base, so that our programs can run on it.

Usage: interpreter --interpreter PATH --out OUT BLOB...

PATH is the path of CPython in the image; the BLOBs are its layers, lowest first. Writes the tree to
the folder OUT (see `formats.rootfs.tree`). This machine must be able to run it.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.rootfs.tree import write_tree


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="interpreter", description=__doc__)
    parser.add_argument("--interpreter", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("blobs", nargs="+", type=Path, metavar="BLOB")
    options = parser.parse_args(argv)
    write_tree(options.blobs, options.interpreter, options.out)
