"""Loads an image from its layout into Docker or podman.

Usage: python programs load [--client docker|podman] [--reference NAME:TAG]... IMAGE

IMAGE is a layout that `place` made. Without --reference the image gets the names that its
`image.json` has. Without --client Docker is taken if it works, podman otherwise. Prints the
image's ID to standard output, and to standard error what was moved.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from inseam.sandbox.command import Failure
from inseam.sandbox.container_client import CLIENTS, choose_client, platform
from inseam.sandbox.docker_load import load_into_docker
from inseam.sandbox.image_metadata import ImageMetadata, read_metadata
from inseam.sandbox.place import blobs_of, missing
from inseam.sandbox.podman_load import load_into_podman
from inseam.sandbox.reference import parse_reference


@dataclass(frozen=True)
class Loaded:
    """An image in a client.

    image_id: "sha256:<hex>", the digest of its configuration. moved: bytes of the layers that the
    client had to get; None for podman, which does not say.
    """

    client: str
    image_id: str
    references: tuple[str, ...]
    moved: int | None


def load(layout: Path, references: Sequence[str] = (), *, client: str | None = None) -> Loaded:
    """Loads the image in `layout`; of an index, the image for the client's platform.

    Raises Failure for an image that is not complete, and if the client refuses it.
    """
    image = read_metadata(layout)
    names = tuple(references or image.references)
    if not names:
        raise Failure(f"{image.target}: the image has no name. Give it one with --reference.")
    for name in names:
        parse_reference(name)
    client = choose_client(client)
    if image.images:
        image = _for_platform(image, client)
    lacking = missing(layout, blobs_of(image).items())
    if lacking:
        raise Failure(
            f"{image.target}: the image in {layout} is not complete, it lacks"
            f" {', '.join(lacking)}. Package it again."
        )
    if client == "docker":
        moved: int | None = load_into_docker(layout, image, names)
    else:
        load_into_podman(layout, image, names)
        moved = None
    return Loaded(client, image.config_digest, names, moved)


def _for_platform(index: ImageMetadata, client: str) -> ImageMetadata:
    wanted = platform(client)
    for image in index.images:
        if f"{image.platform}/".startswith(f"{wanted}/"):
            return image
    there = ", ".join(image.platform for image in index.images)
    raise Failure(f"{index.target}: {client} runs {wanted}, but the image is for {there}.")


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--client", choices=CLIENTS)
    parser.add_argument("--reference", action="append", default=[])
    parser.add_argument("image", type=Path)
    options = parser.parse_args(argv)
    loaded = load(options.image, options.reference, client=options.client)
    moved = "" if loaded.moved is None else f", which had to get {loaded.moved} bytes of layers"
    print(loaded.image_id)
    print(f"{', '.join(loaded.references)} is in {loaded.client}{moved}.", file=sys.stderr)
