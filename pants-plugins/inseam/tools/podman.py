"""Loads an image from a layout into podman, which skips the layers that it has."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Sequence

from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.metadata import ImageMetadata
from inseam.formats.oci.reference import parse_reference
from inseam.tools.client import ClientFailed, run_client

# Docker's image manifest V2, schema 2.
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"  # podman detects zstd by itself


def load_into_podman(layout: Path, image: ImageMetadata, names: Sequence[str]) -> None:
    """Loads the image into podman with all the names.

    Podman only uses a health check from an image with Docker's manifest (containers/buildah#2388),
    so the image gets one. The layers, the configuration and therefore the image ID stay the same.

    Raises Failure if podman refuses the image.
    """
    identity = image.config_digest[7:]
    if not _has(identity):
        with tempfile.TemporaryDirectory() as folder:
            write_directory(layout, image, Path(folder))
            run_client("podman", "pull", "--quiet", f"dir:{folder}")
    run_client("podman", "tag", identity, *(parse_reference(name).by_tag() for name in names))


def _has(identity: str) -> bool:
    """Whether podman has the image, with Docker's manifest."""
    try:
        template = "{{.ManifestType}}"
        found = run_client("podman", "image", "inspect", "--format", template, identity)
    except ClientFailed:
        return False
    return found.strip() == MANIFEST_TYPE


def write_directory(layout: Path, image: ImageMetadata, folder: Path) -> None:
    """Writes the image in the format "dir" of containers-transports(5), with links to its blobs."""
    config = blob_path(layout, image.config_digest)
    for digest in {image.config_digest, *(layer.descriptor.digest for layer in image.layers)}:
        (folder / digest[7:]).symlink_to(blob_path(layout, digest).resolve())
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "digest": image.config_digest,
            "size": config.stat().st_size,
        },
        "layers": [
            layer.descriptor._replace(media_type=LAYER_TYPE).value() for layer in image.layers
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "version").write_text("Directory Transport Version: 1.1\n")
