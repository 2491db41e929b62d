"""Reads the JSON documents of images that others made, checked whole before a part is used.

What is checked is what we read of them (OCI image-spec 1.1: manifest.md, image-index.md, config.md;
Docker's manifests of schema 2 have the same fields). Each error names the document and the field.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json
from inseam.formats.oci.descriptor import check_digest, parse_descriptor

_CONFIGURATIONS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SIZE = "org.inseam.uncompressed-size"


def read_index(content: bytes, what: str) -> Mapping[str, Any]:
    """An image index; raises Failure, naming `what`, for anything else."""
    value = _object(content, what)
    for number, entry in enumerate(_list(value, "manifests", what), 1):
        _check_pointer(entry, f"image {number} of {what}")
        platform = entry.get("platform")
        if not (platform is None or isinstance(platform, dict)):
            raise _unusable("platform", f"image {number} of {what}", platform)
        for field in ("os", "architecture", "variant"):
            _check(platform or {}, field, _optional(_text), f"image {number} of {what}")
    return value


def read_manifest(content: bytes, what: str) -> Mapping[str, Any]:
    """An image manifest; raises Failure, naming `what`, for anything else: another artifact that
    registries hold, such as a Helm chart or an SBOM, among them."""
    value = _object(content, what)
    if value.get("schemaVersion") == 1:
        raise Failure(
            f"{what} has a manifest of schema 1, which registries no longer accept. Push the image"
            " again with a current client, or choose another base."
        )
    config: Any = value.get("config")
    _check_pointer(config, f"`config` of {what}")
    kind = value.get("artifactType") or config.get("mediaType")
    if kind is not None and kind not in _CONFIGURATIONS:
        raise Failure(f"{what} is not an image, but an artifact of the kind {kind!r}.")
    for number, entry in enumerate(_list(value, "layers", what), 1):
        parse_descriptor(entry, f"layer {number} of {what}")
        _check(entry, "annotations", _optional(_texts), f"layer {number} of {what}")
        size = (entry.get("annotations") or {}).get(_SIZE, "0")
        if not (size.isascii() and size.isdigit() and len(size) < 20):
            raise _unusable(_SIZE, f"layer {number} of {what}", size)
    _check(value, "annotations", _optional(_texts), what)
    return value


def read_configuration(content: bytes, what: str) -> Mapping[str, Any]:
    """An image configuration; raises Failure, naming `what`, for anything else."""
    value = _object(content, what)
    for field in ("os", "architecture"):
        _check(value, field, lambda found: _text(found) and bool(found), what)
    _check(value, "variant", _optional(_text), what)
    _check(value, "created", _optional(_text), what)
    rootfs = value.get("rootfs")
    if not isinstance(rootfs, dict):
        raise _unusable("rootfs", what, rootfs)
    _check(rootfs, "diff_ids", lambda found: _all(found, _digest), f"`rootfs` of {what}")
    _check(value, "history", _optional(lambda found: _all(found, _mapping)), what)
    _check(value, "config", _optional(_mapping), what)
    execution = value.get("config") or {}
    for field, usable in _EXECUTION.items():
        _check(execution, field, _optional(usable), f"`config` of {what}")
    return value


def _check_pointer(entry: Any, what: str) -> None:
    """Raises Failure unless a value has the digest of a document, and a kind if any."""
    if not isinstance(entry, dict):
        raise Failure(f"{what} is not a descriptor: {str(entry)[:100]!r}")
    check_digest(entry.get("digest"), f"the digest of {what}")
    _check(entry, "mediaType", _optional(_text), what)


def _object(content: bytes, what: str) -> dict[str, Any]:
    value = parse_json(content, what)
    if not isinstance(value, dict):
        raise Failure(f"{what} is not a JSON object.")
    return value


def _list(value: Mapping[str, Any], field: str, what: str) -> list[Any]:
    found = value.get(field)
    if not isinstance(found, list):
        raise _unusable(field, what, found)
    return found


def _check(value: Mapping[str, Any], field: str, usable: Callable[[Any], bool], what: str) -> None:
    if not usable(value.get(field)):
        raise _unusable(field, what, value.get(field))


def _unusable(field: str, what: str, found: object) -> Failure:
    return Failure(f"{what} is not an image: its `{field}` is {str(found)[:100]!r}.")


def _optional(usable: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or usable(value)


def _all(value: Any, usable: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(usable, value))


def _text(value: Any) -> bool:
    # Not a surrogate alone, which JSON can hold and no file.
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _list_of_texts(value: Any) -> bool:
    return _all(value, _text)


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, [*value, *value.values()]))


# What images inherit of their base.
_EXECUTION: dict[str, Callable[[Any], bool]] = {
    "User": _text,
    "ExposedPorts": _mapping,
    "Env": _list_of_texts,
    "Entrypoint": _list_of_texts,
    "Cmd": _list_of_texts,
    "Volumes": _mapping,
    "WorkingDir": _text,
    "Labels": _texts,
    "StopSignal": _text,
    "Healthcheck": _mapping,
    "Shell": _list_of_texts,
}
