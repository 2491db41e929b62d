"""Reads the JSON documents of images from outside, and checks them before any part is used.

The fields that we read are checked (OCI image-spec 1.1: manifest.md, image-index.md, config.md;
Docker's manifests of schema 2 have the same fields). Each error names the document and the field.
"""

from __future__ import annotations

from typing import Any, Mapping

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json
from inseam.formats.oci.descriptor import parse_descriptor
from inseam.formats.schema import (
    Check,
    Entry,
    is_digest,
    is_list,
    is_object,
    is_string,
    list_of,
    map_of,
    optional,
    shown,
)

_CONFIGURATIONS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_SIZE = "org.inseam.uncompressed-size"
_DIGEST = "a sha256 digest"
_TEXTS = "a list of texts"


def read_index(content: bytes, what: str) -> Mapping[str, Any]:
    """An image index; raises Failure, naming `what`, for anything else."""
    index = _document(content, what)
    _check_list(index, "manifests")
    for image in index.tables("manifests"):
        _check_pointer(image)
        if image.value.get("platform") is not None:
            platform = image.table("platform")
            for field in ("os", "architecture", "variant"):
                platform.get(field, optional(is_string), "a text")
    return index.value


def read_manifest(content: bytes, what: str) -> Mapping[str, Any]:
    """An image manifest; raises Failure, naming `what`, for anything else, including other
    artifacts in registries, such as a Helm chart or an SBOM.
    """
    manifest = _document(content, what)
    if manifest.value.get("schemaVersion") == 1:
        raise Failure(
            f"{what} has a manifest of schema 1, which registries no longer accept. Push the image"
            " again with a current client, or choose another base."
        )
    config = manifest.table("config")
    _check_pointer(config)
    kind = manifest.value.get("artifactType") or config.value.get("mediaType")
    if kind is not None and kind not in _CONFIGURATIONS:
        raise Failure(f"{what} is not an image, but an artifact of the kind {shown(kind)}.")
    _check_list(manifest, "layers")
    for layer in manifest.tables("layers"):
        parse_descriptor(layer.value, layer.where)
        layer.get("annotations", optional(map_of(is_string)), "texts by name")
        annotations = Entry(layer.value.get("annotations") or {}, layer.where)
        annotations.get(_SIZE, optional(_is_size), "a number of bytes")
    manifest.get("annotations", optional(map_of(is_string)), "texts by name")
    return manifest.value


def read_configuration(content: bytes, what: str) -> Mapping[str, Any]:
    """An image configuration; raises Failure, naming `what`, for anything else."""
    configuration = _document(content, what)
    for field in ("os", "architecture"):
        configuration.get(field, lambda found: is_string(found) and found != "", "a name")
    for field in ("variant", "created"):
        configuration.get(field, optional(is_string), "a text")
    configuration.table("rootfs").get("diff_ids", list_of(is_digest), f"a list, each {_DIGEST}")
    configuration.get("history", optional(list_of(is_object)), "a list of objects")
    execution = configuration.get("config", optional(is_object), "an object") or {}
    for field, (usable, form) in _EXECUTION.items():
        Entry(execution, f"`config` of {what}").get(field, optional(usable), form)
    return configuration.value


def _document(content: bytes, what: str) -> Entry:
    return Entry.of(parse_json(content, what), what)


def _check_pointer(entry: Entry) -> None:
    """Raises Failure unless a table has a valid digest, and a valid media type if any."""
    entry.get("digest", is_digest, _DIGEST)
    entry.get("mediaType", optional(is_string), "a media type")


def _check_list(entry: Entry, field: str) -> None:
    entry.get(field, is_list, "a list")


def _is_size(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20


# The fields that images inherit from their base.
_EXECUTION: dict[str, tuple[Check, str]] = {
    "User": (is_string, "a text"),
    "ExposedPorts": (is_object, "an object"),
    "Env": (list_of(is_string), _TEXTS),
    "Entrypoint": (list_of(is_string), _TEXTS),
    "Cmd": (list_of(is_string), _TEXTS),
    "Volumes": (is_object, "an object"),
    "WorkingDir": (is_string, "a text"),
    "Labels": (map_of(is_string), "texts by name"),
    "StopSignal": (is_string, "a text"),
    "Healthcheck": (is_object, "an object"),
    "Shell": (list_of(is_string), _TEXTS),
}
