"""Puts the layers of an image on another base, and the result beside it.

Usage: python programs rebase_layout --base BASE --base-blobs FOLDER IMAGE [OUT]

IMAGE is a layout that `place` made; OUT, without it IMAGE itself, becomes the layout of the image
on the base in the folder BASE, whose layers' blobs are in FOLDER. Blobs go to the store of IMAGE.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from inseam.sandbox.command import Failure
from inseam.sandbox.image_metadata import read_metadata
from inseam.sandbox.place import place
from inseam.sandbox.rebase import rebase


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="rebase_layout", description=__doc__)
    parser.add_argument("--base", required=True, type=Path)
    parser.add_argument("--base-blobs", required=True, type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("out", nargs="?", type=Path)
    options = parser.parse_args(argv)
    blobs = options.image / "blobs"
    if not blobs.is_symlink():
        raise Failure(
            f"{options.image} is no layout that Inseam made. Package the image first: ./pants"
            " package TARGET#oci"
        )
    store = blobs.resolve().parent
    out = options.out or options.image
    with tempfile.TemporaryDirectory() as folder:
        rebased = Path(folder)
        rebase(options.image, options.base, rebased)
        place(rebased, [options.base, options.base_blobs], store, out, without_base=False)
    print(f"{out}: {read_metadata(out).digest}")
