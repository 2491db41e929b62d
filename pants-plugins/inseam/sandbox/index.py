"""Makes an image index, one image for several platforms, of images that are there.

Usage: python programs index --target ADDRESS --out OUT [--reference NAME:TAG]... IMAGE...

IMAGE... are the folders of the images, from `image`, `assemble` or `rebase`. Writes to the folder
OUT: `oci-layout`, `index.json`, the blobs of the index and of the images' manifests and
configurations, `image.json` (`ImageMetadata`), and `probes.yaml` if the images have one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from inseam.sandbox.command import Failure
from inseam.sandbox.files import write_whole
from inseam.sandbox.image_config import parse_platform
from inseam.sandbox.image_metadata import ImageMetadata, read_metadata, write_metadata
from inseam.sandbox.oci_layout import (
    CONFIG_TYPE,
    Blob,
    index,
    read_blob,
    write_blobs,
    write_entry,
)
from inseam.sandbox.probes import PROBES


def make_index(
    target: str, folders: Sequence[Path], out: Path, *, references: Sequence[str] = ()
) -> ImageMetadata:
    """Writes the index of the images in `folders` to the folder `out`.

    Its order is that of the platforms' names, whatever that of the folders. Raises Failure for two
    images of one platform, and for an image that is an index itself.
    """
    by_platform: dict[str, tuple[Path, ImageMetadata]] = {}
    for folder in folders:
        image = read_metadata(folder)
        if image.images:
            raise Failure(f"{target}: {folder} holds an index; an index is made of images.")
        if image.platform in by_platform:
            raise Failure(
                f"{target}: {by_platform[image.platform][1].target} and {image.target} are both"
                f" for {image.platform}. An index has one image for each platform."
            )
        by_platform[image.platform] = folder, image
    chosen = [by_platform[platform] for platform in sorted(by_platform)]
    blob = index([(image.descriptor(), parse_platform(image.platform)) for _, image in chosen], {})
    for folder, image in chosen:
        documents = ((image.media_type, image.digest), (CONFIG_TYPE, image.config_digest))
        write_blobs(out, [Blob(type, read_blob(folder, digest)) for type, digest in documents])
    write_blobs(out, [blob])
    metadata = ImageMetadata(
        target=target,
        references=tuple(references),
        digest=blob.digest,
        media_type=blob.media_type,
        size=blob.size,
        images=tuple(image for _, image in chosen),
    )
    write_entry(out, metadata.descriptor(), metadata.references)
    probes = chosen[0][0] / PROBES
    if probes.is_file():
        write_whole(out / PROBES, probes.read_bytes())
    write_metadata(metadata, out)
    return metadata


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="index", description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--reference", action="append", default=[])
    parser.add_argument("images", nargs="+", type=Path)
    options = parser.parse_args(argv)
    make_index(options.target, options.images, options.out, references=options.reference)
