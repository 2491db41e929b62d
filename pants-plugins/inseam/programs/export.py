"""Puts an image into a store that all images of a repository share.

Usage: export --store STORE --layout LAYOUT IMAGE [FOLDER...]

IMAGE is the folder of an image. FOLDER... contain its other blobs, below `blobs/sha256`. Copies
missing blobs to STORE/blobs/sha256, and makes LAYOUT the OCI image layout of this image (see
`tools.store`).
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.tools.store import export


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="export", description=__doc__)
    parser.add_argument("--store", required=True, type=Path)
    parser.add_argument("--layout", required=True, type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("folders", nargs="*", type=Path)
    options = parser.parse_args(argv)
    export(options.image, options.folders, options.store, options.layout)
