"""Takes CPython out of the layers of a base, for programs of ours that are to run on it.

Usage: interpreter --interpreter PATH --out OUT BLOB...

PATH is that of CPython in the image, BLOB the layers, lowest first. Writes the tree to the folder
OUT, as `formats.rootfs.tree` says. This machine must be one that can run it.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.rootfs.tree import write_tree


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = ArgumentParser(prog="interpreter", description=__doc__)
    parser.add_argument("--interpreter", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("blobs", nargs="+", type=Path, metavar="BLOB")
    options = parser.parse_args(argv)
    write_tree(options.blobs, options.interpreter, options.out)
