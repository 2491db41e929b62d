"""Writes and reads OCI image layouts (OCI image-spec 1.1, image-layout.md)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import Descriptor, blob_path, check_digest, parse_descriptor
from inseam.formats.oci.layer import Layer
from inseam.formats.regular import read_regular

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


LARGEST_DOCUMENT = 64 << 20  # largest manifest, index or configuration in bytes


def digest_of(content: bytes) -> str:
    """The digest of some bytes, in the form "sha256:<hex>"."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Document(NamedTuple):
    """A JSON document of an image: a manifest, an index or a configuration."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return len(self.content)

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(self.media_type, self.digest, self.size)


def json_document(media_type: str, value: Mapping[str, Any]) -> Document:
    """The document with the value; equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Document(media_type, text.encode())


def manifest(
    config: Document, layers: Iterable[Mapping[str, Any]], annotations: Mapping[str, str]
) -> Document:
    """An image manifest (manifest.md) of layers, given by their descriptors."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor.value(),
        "layers": list(layers),
    }
    if annotations:
        value["annotations"] = annotations
    return json_document(MANIFEST_TYPE, value)


def index(manifests: Iterable[Mapping[str, Any]], annotations: Mapping[str, str]) -> Document:
    """An image index (image-index.md) of manifests, given by their descriptors."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": list(manifests),
    }
    if annotations:
        value["annotations"] = annotations
    return json_document(INDEX_TYPE, value)


def document_files(documents: Iterable[Document]) -> dict[str, bytes]:
    """Documents by path in a layout, each under its digest."""
    return {blob_path(Path(), one.digest).as_posix(): one.content for one in documents}


def entry_files(
    descriptor: Descriptor, references: Sequence[str], more: Iterable[tuple[Descriptor, str]] = ()
) -> dict[str, bytes]:
    """The files, by path, that make a folder the layout of the image with this descriptor.

    references: the image's names; the layout contains the first one. more: other descriptors in the
    layout, each with its tag.
    """
    entry = descriptor.value()
    if references:
        name = references[0]
        tag = name.rpartition("/")[2].partition("@")[0].partition(":")[2]
        annotations = {CONTAINERD_NAME: name, REF_NAME: tag or "latest"}
        entry = {**entry, "annotations": annotations}
    others = [{**other.value(), "annotations": {REF_NAME: tag}} for other, tag in more]
    top = index([entry, *others], {})
    return {LAYOUT: LAYOUT_TEXT, INDEX: top.content}


def read_blob(folder: Path, digest: str) -> bytes:
    """The document with the digest `digest` in the layout `folder`.

    Raises Failure if it is missing or does not match its digest.
    """
    check_digest(digest, f"a digest in {folder}")
    path = blob_path(folder, digest)
    try:
        content = read_regular(path, LARGEST_DOCUMENT, follow=True)
    except OSError as error:
        raise Failure(
            f"The image in {folder} is incomplete: {path} cannot be read ({error.strerror})."
            " Package it again."
        ) from None
    if digest_of(content) != digest:
        raise Failure(
            f"The image in {folder} is damaged: the content of {path} does not match its digest."
            " Remove that file and package the image again."
        )
    return content


def layer_entry(layer: Layer) -> dict[str, Any]:
    """The descriptor of a layer, with annotations for the other fields that parsing needs."""
    annotations = {LAYER_NAME: layer.name}
    if layer.size is not None:
        annotations[LAYER_SIZE] = str(layer.size)
    return {**layer.descriptor.value(), "annotations": annotations}


def parse_layer_entry(entry: Mapping[str, Any], diff_id: str) -> Layer:
    """The layer with this descriptor in a manifest, and this diff ID in the configuration."""
    annotations = entry.get("annotations") or {}
    size = annotations.get(LAYER_SIZE)
    return Layer(
        annotations.get(LAYER_NAME, "base"),
        diff_id,
        int(size) if size is not None else None,
        blob=parse_descriptor(entry, "the manifest"),
    )
