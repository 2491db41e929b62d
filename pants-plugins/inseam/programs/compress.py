"""Compresses a layer to bytes that depend on nothing but the layer and the format.

Usage: compress --tar TAR --out OUT [--name NAME] [--format gzip|zstd]

Writes the blob OUT/blobs/sha256/<hex of its sha256> and OUT/layer.json (`Layer`). NAME is the name
of the layer, by default that of the tar.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.compression import LAYER_TYPES, compress


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="compress", description=__doc__)
    parser.add_argument("--tar", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--name")
    parser.add_argument("--format", choices=sorted(LAYER_TYPES), default="gzip")
    options = parser.parse_args(argv)
    compress(options.tar, options.out, name=options.name, format=options.format)
