"""Puts the layers of an image in a layout on another base.

Usage: rebase --base BASE [--dry-run] IMAGE [OUT]

IMAGE is a layout that `export` wrote. OUT, by default IMAGE itself, becomes the layout of the image
on the base in the folder BASE, which also contains the base's blobs. Blobs are written to the store
of IMAGE. With --dry-run, nothing is written. Prints both digests, and what changes, to stderr.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.failure import Failure
from inseam.formats.oci.metadata import ImageMetadata, read_packaged
from inseam.formats.oci.rebase import rebase
from inseam.tools.own import is_ours
from inseam.tools.store import export


def _report(before: ImageMetadata, after: ImageMetadata) -> str:
    known = {layer.diff_id for layer in before.layers}
    new = [layer for layer in after.layers if layer.diff_id not in known]
    size = sum(layer.descriptor.size for layer in new)
    return (
        f"  image: {before.digest} -> {after.digest}\n"
        f"  base:  {_base(before)} -> {_base(after)}\n"
        f"  {len(after.layers) - len(new)} of {len(after.layers)} layers stay, {len(new)} are new"
        f" ({size:,} bytes)"
    )


def _base(image: ImageMetadata) -> str:
    if image.base is None:
        return "none"
    return f"{image.base.name}@{image.base.digest}" if image.base.name else image.base.digest


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="rebase", description=__doc__)
    parser.add_argument("--base", required=True, type=Path)
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("image", type=Path)
    parser.add_argument("out", nargs="?", type=Path)
    options = parser.parse_args(argv)
    blobs = options.image / "blobs"
    if not blobs.is_symlink():
        raise Failure(
            f"{options.image} is not an image layout written by Inseam. Package the image first:"
            " ./pants package TARGET#oci"
        )
    store = blobs.resolve().parent
    if not is_ours(store):
        raise Failure(
            f"{store}, which the blobs of {options.image} are in, was not made by Inseam, so"
            " nothing is written to it. Package the image first: ./pants package TARGET#oci"
        )
    out = options.out or options.image
    before = read_packaged(options.image)
    with tempfile.TemporaryDirectory() as folder:
        rebased = Path(folder)
        after = rebase(options.image, options.base, rebased).metadata
        if not options.dry_run:
            export(rebased, [options.base], store, out)
    done = "would become" if options.dry_run else "is now"
    print(f"{out} {done}\n{_report(before, after)}", file=sys.stderr)
