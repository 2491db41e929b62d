"""Describes the layers of a service: the form of `layers.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable, NamedTuple

from inseam.sandbox.files import write_whole
from inseam.sandbox.records import plain
from inseam.sandbox.unit import Wheel

LAYERS = "layers.json"


class Layer(NamedTuple):
    """One layer of an image, uncompressed.

    name: "deps", "app", or the name of a shared layer. file: the tar's name, beside layers.json.
    diff_id: "sha256:<hex>" of the tar (OCI image-spec, config.md, "Layer DiffID"). size: of the
    tar, in bytes. wheels: what is installed in it, in order of name.
    """

    name: str
    file: str
    diff_id: str
    size: int
    wheels: tuple[Wheel, ...] = ()


def dump(layers: Iterable[Layer]) -> bytes:
    """The text of `layers.json`: an array in the order of the image, lowest layer first."""
    return (json.dumps([plain(layer) for layer in layers], indent=2) + "\n").encode()


def write_layers(layers: Iterable[Layer], path: Path) -> None:
    """Writes a `layers.json`."""
    write_whole(path, dump(layers))


def load(text: bytes) -> tuple[Layer, ...]:
    """Reads the text of a `layers.json`."""
    data: list[dict[str, Any]] = json.loads(text)
    return tuple(
        Layer(**{**item, "wheels": tuple(Wheel(**wheel) for wheel in item["wheels"])})
        for item in data
    )


def read_layers(path: Path) -> tuple[Layer, ...]:
    """Reads a `layers.json`."""
    return load(path.read_bytes())
