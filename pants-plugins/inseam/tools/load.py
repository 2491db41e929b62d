"""Loads an image from its layout into Docker or podman, whichever works."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.oci.layout import read_blob
from inseam.formats.oci.metadata import ImageMetadata, read_packaged
from inseam.formats.oci.reference import parse_reference
from inseam.tools.client import choose_client, platform
from inseam.tools.docker import load_into_docker
from inseam.tools.podman import load_into_podman
from inseam.tools.store import blobs_of, missing


@dataclass(frozen=True)
class Loaded:
    """An image in a client."""

    client: str
    image_id: str
    """The digest of its configuration, "sha256:<hex>"."""
    references: tuple[str, ...]
    moved: int | None
    """Bytes of the layers that were sent; None for podman, which does not report it."""
    entrypoint: tuple[str, ...]
    """The image's own entry point."""
    user: str
    """As in `RunHints`."""
    writable: tuple[str, ...]
    """As in `RunHints`."""


def load(layout: Path, *, client: str | None = None) -> Loaded:
    """Loads the image in `layout`; of an index, the image for the client's platform.

    Raises Failure for an image that is not complete, and if the client refuses it.
    """
    image = read_packaged(layout)
    names = image.references
    if not names:
        raise Failure(
            f"{image.target}: the image has no name. Set the `repository` or `image_tags` of its"
            " target."
        )
    for name in names:
        parse_reference(name)
    client = choose_client(client)
    if image.images:
        image = _for_platform(image, client)
    lacking = missing(layout, blobs_of(image).items())
    if lacking:
        raise Failure(
            f"{image.target}: the image in {layout} is incomplete: {', '.join(lacking)} is missing."
            " Package it again."
        )
    if client == "docker":
        moved: int | None = load_into_docker(layout, image, names)
    else:
        load_into_podman(layout, image, names)
        moved = None
    config = json.loads(read_blob(layout, image.config_digest)).get("config") or {}
    entrypoint = tuple(config.get("Entrypoint") or ())
    run = image.run
    return Loaded(client, image.config_digest, names, moved, entrypoint, run.user, run.writable)


def _for_platform(index: ImageMetadata, client: str) -> ImageMetadata:
    wanted = platform(client)
    for image in index.images:
        if f"{image.platform}/".startswith(f"{wanted}/"):
            return image
    there = ", ".join(image.platform for image in index.images)
    raise Failure(
        f"{index.target}: {client} runs {wanted}, but the image is for {there}. Add {wanted} to the"
        " `platforms` of its target."
    )
