"""Describes the layers of images: the formats of `layer.json` and `layers.json`."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any, Iterable, NamedTuple

from inseam.formats.distribution import Wheel
from inseam.formats.failure import Failure
from inseam.formats.files import parse_json, read_json, write_whole
from inseam.formats.oci.descriptor import Descriptor, check_digest, parse_descriptor

# The folder that contains a folder for each layer, with the layer's name.
LAYERS = "layers"
LAYER_FILE = "layer.json"
LAYERS_FILE = "layers.json"

# Layers that are not named after a wheel: that of all other wheels, and that of large first-party
# files.
DEPS_LAYER = "deps"
DATA_LAYER = "data"


class Layer(NamedTuple):
    """A layer of an image (OCI image-spec 1.1, layer.md)."""

    name: str
    """Such as "deps", "app", or the name of a shared layer or wheel."""
    diff_id: str
    """Digest of its tar (config.md, "Layer DiffID")."""
    size: int | None
    """Size of the tar in bytes; None for a layer from a registry, where it is unknown."""
    wheels: tuple[Wheel, ...] = ()
    """The wheels installed in it, sorted by name, as far as they are known."""
    blob: Descriptor | None = None
    """The compressed layer, as in registries; None as long as it is not compressed."""

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the blob; raises Failure if the layer is not compressed."""
        assert self.blob is not None, f"the layer {self.name} is not compressed"
        return self.blob


def layer_value(layer: Layer) -> dict[str, Any]:
    """The JSON value of a layer."""
    value: dict[str, Any] = {"name": layer.name, "diff_id": layer.diff_id, "size": layer.size}
    if layer.blob is not None:
        value["blob"] = layer.blob.value()
    value["wheels"] = [wheel.value() for wheel in layer.wheels]
    return value


_KEYS = {*Layer._fields}


def parse_layer(data: Any, what: str) -> Layer:
    """Reads the JSON value of a layer; raises Failure, naming `what`, for anything else."""
    try:
        unknown = sorted(set(data) - _KEYS)
        blob = data.get("blob")
        layer = Layer(
            data["name"],
            check_digest(data["diff_id"], f"`diff_id` in {what}"),
            data["size"],
            tuple(Wheel(**wheel) for wheel in data["wheels"]),
            None if blob is None else parse_descriptor(blob, what),
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Failure(f"{what} does not describe a layer: {error}") from None
    if unknown:
        raise Failure(f"{what} does not describe a layer: it has the unknown key {unknown[0]!r}")
    if not all(isinstance(text, str) for text in (layer.name, *chain(*layer.wheels))):
        raise Failure(f"{what} does not describe a layer: a name or a wheel is not text")
    if layer.size is not None and (
        not isinstance(layer.size, int) or isinstance(layer.size, bool) or layer.size < 0
    ):
        raise Failure(f"`size` in {what} is not a number of bytes: {layer.size!r}")
    return layer


def dump_layer(layer: Layer) -> bytes:
    """The text of a `layer.json`."""
    return (json.dumps(layer_value(layer), indent=2) + "\n").encode()


def load_layer(text: bytes) -> Layer:
    """Reads the text of a `layer.json`."""
    return parse_layer(parse_json(text, LAYER_FILE), LAYER_FILE)


def write_layer(layer: Layer, folder: Path) -> None:
    """Writes the folder's `layer.json`."""
    write_whole(folder / LAYER_FILE, dump_layer(layer))


def read_layer(folder: Path) -> Layer:
    """Reads the folder's `layer.json`; raises Failure if it is missing or damaged."""
    path = folder / LAYER_FILE
    return parse_layer(read_json(path), str(path))


def dump_layers(layers: Iterable[Layer]) -> bytes:
    """The text of `layers.json`: an array in the order of the image, lowest layer first."""
    return (json.dumps([layer_value(layer) for layer in layers], indent=2) + "\n").encode()


def load_layers(text: bytes) -> tuple[Layer, ...]:
    """Reads the text of a `layers.json`; raises Failure for anything else."""
    value = parse_json(text, LAYERS_FILE)
    if not isinstance(value, list):
        raise Failure(f"{LAYERS_FILE} is not a list of layers")
    return tuple(parse_layer(item, LAYERS_FILE) for item in value)
