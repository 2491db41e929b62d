"""Describes a compressed layer: the form of `descriptor.json`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from inseam.sandbox.command import Failure
from inseam.sandbox.files import write_whole
from inseam.sandbox.records import plain

DESCRIPTOR = "descriptor.json"
BLOBS = "blobs/sha256"

TAR_LAYER = "application/vnd.oci.image.layer.v1.tar"
GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class LayerBlob(NamedTuple):
    """A layer as an image refers to it (OCI image-spec 1.1, descriptor.md, layer.md).

    name: "deps", "app", or the name of a shared layer. media_type, digest, size: those of the
    compressed blob, size in bytes. diff_id: digest of the tar (config.md, "Layer DiffID").
    uncompressed_size: bytes of the tar; None for a layer from a registry, which does not say.
    """

    name: str
    media_type: str
    digest: str
    size: int
    diff_id: str
    uncompressed_size: int | None = None

    def descriptor(self) -> dict[str, Any]:
        """The OCI descriptor of the blob."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def check_digest(digest: object, what: str) -> str:
    """`digest`, if it has the form of a sha256 digest; raises Failure otherwise."""
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Failure(f"{what} is no sha256 digest: {digest!r}")
    return digest


def parse_layer(data: Any, what: str) -> LayerBlob:
    """Reads the JSON value of a LayerBlob; raises Failure, naming `what`, for anything else."""
    try:
        layer = LayerBlob(**data)
    except TypeError as error:
        raise Failure(f"{what} does not describe a layer: {error}") from None
    check_digest(layer.digest, f"`digest` in {what}")
    check_digest(layer.diff_id, f"`diff_id` in {what}")
    if not isinstance(layer.size, int) or layer.size < 0:
        raise Failure(f"`size` in {what} is no count of bytes: {layer.size!r}")
    return layer


def dump_layer(layer: LayerBlob) -> bytes:
    """The text of a `descriptor.json`."""
    return (json.dumps(plain(layer), indent=2) + "\n").encode()


def write_layer(layer: LayerBlob, path: Path) -> None:
    """Writes a `descriptor.json`."""
    write_whole(path, dump_layer(layer))


def read_layer(path: Path) -> LayerBlob:
    """Reads a `descriptor.json`; raises Failure if it is missing or damaged."""
    return parse_layer(read_json(path), str(path))


def read_json(path: Path) -> Any:
    """Reads a JSON file; raises Failure if it is missing or no JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(f"{path} is damaged, it holds no JSON: {error}") from None


def blob_path(folder: Path, digest: str) -> Path:
    """Where the blob lies in an OCI layout (image-layout.md, "Blobs")."""
    return folder / BLOBS / digest[len("sha256:") :]
