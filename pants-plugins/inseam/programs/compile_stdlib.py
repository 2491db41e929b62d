"""Compiles the standard library of a pulled image into a separate layer.

Usage: compile_stdlib --image DIR --stdlib PATH --out OUT DIGEST...

DIR contains the blobs of the image's layers; the DIGESTs list them, lowest first. PATH is the
folder of the standard library in the image. Writes the layer as described in
`formats.python.base_bytecode`. The running interpreter must have the same minor version as the
image's.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.python.base_bytecode import write_bytecode


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="compile_stdlib", description=__doc__)
    parser.add_argument("--image", required=True, type=Path)
    parser.add_argument("--stdlib", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("digests", nargs="+")
    options = parser.parse_args(argv)
    blobs = [blob_path(options.image, digest) for digest in options.digests]
    write_bytecode(blobs, options.stdlib.strip("/"), options.out)
