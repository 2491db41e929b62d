"""Writes and reads OCI image layouts (OCI image-spec 1.1, image-layout.md)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from inseam.sandbox.command import Failure
from inseam.sandbox.descriptor import LayerBlob, blob_path, check_digest
from inseam.sandbox.image_config import Platform

INDEX = "index.json"
LAYOUT = "oci-layout"
LAYOUT_TEXT = b'{"imageLayoutVersion":"1.0.0"}'

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"

# Annotations of a layer's descriptor.
LAYER_NAME = "org.inseam.layer"
LAYER_SIZE = "org.inseam.uncompressed-size"


class Blob(NamedTuple):
    """A JSON document of an image, with what its descriptor says."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def descriptor(self) -> dict[str, Any]:
        """Its OCI descriptor (descriptor.md)."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def json_blob(media_type: str, value: Mapping[str, Any]) -> Blob:
    """The document with the value, always in the same bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Blob(media_type, text.encode())


def manifest(
    config: Blob, layers: Iterable[Mapping[str, Any]], annotations: Mapping[str, str]
) -> Blob:
    """An image manifest (manifest.md) of layers given by their descriptors."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor(),
        "layers": list(layers),
    }
    if annotations:
        value["annotations"] = annotations
    return json_blob(MANIFEST_TYPE, value)


def index(
    images: Iterable[tuple[Mapping[str, Any], Platform]], annotations: Mapping[str, str]
) -> Blob:
    """An image index (image-index.md) of the images with these descriptors and platforms."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": [
            {**descriptor, "platform": platform.fields()} for descriptor, platform in images
        ],
    }
    if annotations:
        value["annotations"] = annotations
    return json_blob(INDEX_TYPE, value)


def blob_files(blobs: Iterable[Blob]) -> dict[str, bytes]:
    """Documents by path in a layout, each under its digest."""
    return {blob_path(Path(), blob.digest).as_posix(): blob.content for blob in blobs}


def entry_files(entry: Mapping[str, Any], references: Sequence[str]) -> dict[str, bytes]:
    """What makes a folder the layout of one image, whose descriptor is `entry`, by path.

    references: the image's names; the layout tells the first one.
    """
    if references:
        name = references[0]
        tag = name.rpartition("/")[2].partition("@")[0].partition(":")[2]
        annotations = {CONTAINERD_NAME: name, REF_NAME: tag or "latest"}
        entry = {**entry, "annotations": annotations}
    top = json_blob(INDEX_TYPE, {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]})
    return {LAYOUT: LAYOUT_TEXT, INDEX: top.content}


def read_blob(folder: Path, digest: str) -> bytes:
    """The document `digest` of the layout `folder`.

    Raises Failure if it is missing or is not what its digest says.
    """
    check_digest(digest, f"a digest in {folder}")
    path = blob_path(folder, digest)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Failure(
            f"The image in {folder} is not complete: {path} cannot be read ({error.strerror})."
        ) from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise Failure(f"The image in {folder} is damaged: {path} has another digest. Remove it.")
    return content


def layer_entry(layer: LayerBlob) -> dict[str, Any]:
    """The descriptor of a layer, with what `parse_layer_entry` needs to know more."""
    annotations = {LAYER_NAME: layer.name}
    if layer.uncompressed_size is not None:
        annotations[LAYER_SIZE] = str(layer.uncompressed_size)
    return {**layer.descriptor(), "annotations": annotations}


def parse_layer_entry(entry: Mapping[str, Any], diff_id: str) -> LayerBlob:
    """The layer with this descriptor in a manifest, and this diff ID in the configuration."""
    annotations = entry.get("annotations") or {}
    size = annotations.get(LAYER_SIZE)
    return LayerBlob(
        name=annotations.get(LAYER_NAME, "base"),
        media_type=entry["mediaType"],
        digest=entry["digest"],
        size=entry["size"],
        diff_id=diff_id,
        uncompressed_size=int(size) if size is not None else None,
    )
