"""Describes an image that lies in a layout: the form of `image.json`, made for deploy tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping, NamedTuple

from inseam.sandbox.command import Failure
from inseam.sandbox.descriptor import LayerBlob, check_digest, parse_layer, read_json
from inseam.sandbox.records import plain

METADATA = "image.json"


class BaseReference(NamedTuple):
    """The image that another one stands on: name in a registry, "" for none, and digest."""

    name: str
    digest: str


class ImageMetadata(NamedTuple):
    """What an image is.

    target: its address in the repository. references: the names that it is to have, with tags.
    digest, media_type, size: of the manifest, or of the index if `images` has images, one for
    each platform. config_digest, platform, layers: those of an image, lowest layer first.
    base_layers: how many of the layers are the base's.
    runtime: the labels of RUNTIME_LABELS that images on top of it have to get.
    """

    target: str
    references: tuple[str, ...]
    digest: str
    media_type: str
    size: int
    config_digest: str = ""
    platform: str = ""
    layers: tuple[LayerBlob, ...] = ()
    base: BaseReference | None = None
    base_layers: int = 0
    runtime: Mapping[str, str] = {}
    images: tuple[ImageMetadata, ...] = ()

    @property
    def own_layers(self) -> tuple[LayerBlob, ...]:
        """The layers on top of the base's."""
        return self.layers[self.base_layers :]

    @property
    def compressed_size(self) -> int:
        """Bytes of all layers, as a registry holds them."""
        return sum(layer.size for layer in self.layers)

    @property
    def uncompressed_size(self) -> int | None:
        """Bytes of all layers' tars; None if that is not known of each."""
        total = 0
        for layer in self.layers:
            if layer.uncompressed_size is None:
                return None
            total += layer.uncompressed_size
        return total

    def descriptor(self) -> dict[str, Any]:
        """The OCI descriptor of the manifest or index."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def _value(image: ImageMetadata) -> dict[str, Any]:
    value: dict[str, Any] = plain(image)
    value["images"] = [_value(inner) for inner in image.images]
    if image.images:
        for name in ("config_digest", "platform", "layers", "base", "base_layers", "runtime"):
            del value[name]
        return value
    del value["images"]
    value["compressed_size"] = image.compressed_size
    value["uncompressed_size"] = image.uncompressed_size
    return value


def dump_metadata(image: ImageMetadata) -> bytes:
    """The text of `image.json`."""
    return (json.dumps(_value(image), indent=2, ensure_ascii=False) + "\n").encode()


def read_metadata(folder: Path) -> ImageMetadata:
    """Reads the folder's `image.json`; raises Failure if it is missing or damaged."""
    path = folder / METADATA
    return _parse(read_json(path), str(path))


def load_metadata(text: bytes) -> ImageMetadata:
    """Reads the text of an `image.json`."""
    return _parse(json.loads(text), METADATA)


def _parse(data: Any, what: str) -> ImageMetadata:
    try:
        fields = dict(data)
        fields.pop("compressed_size", None)
        fields.pop("uncompressed_size", None)
        fields["references"] = tuple(fields["references"])
        fields["layers"] = tuple(parse_layer(layer, what) for layer in fields.get("layers", ()))
        fields["images"] = tuple(_parse(image, what) for image in fields.get("images", ()))
        if fields.get("base"):
            fields["base"] = BaseReference(**fields["base"])
        image = ImageMetadata(**fields)
    except (TypeError, ValueError, KeyError) as error:
        raise Failure(f"{what} does not describe an image: {error}") from None
    check_digest(image.digest, f"`digest` in {what}")
    if not image.images:
        check_digest(image.config_digest, f"`config_digest` in {what}")
    return image
