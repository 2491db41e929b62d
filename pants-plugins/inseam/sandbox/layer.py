"""Describes the layers of a service: the form of `layers.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Iterable, Mapping

from inseam.sandbox.files import write_whole
from inseam.sandbox.unit import Wheel

LAYERS = "layers.json"
PATHS = "paths.txt"


@dataclass(frozen=True)
class Layer:
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
    return (json.dumps([asdict(layer) for layer in layers], indent=2) + "\n").encode()


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


@dataclass(frozen=True)
class Installed:
    """A file of a layer: hex sha256 of its content, and who installed it (a wheel)."""

    digest: str
    owner: str


def write_paths(files: Mapping[str, Installed], path: Path) -> None:
    """Writes what a layer holds, by owner: a line `= <owner>`, then, for each file, a line
    `<digest> <path>`."""
    lines = []
    owner = None
    for name, file in sorted(files.items(), key=lambda item: (item[1].owner, item[0])):
        if file.owner != owner:
            owner = file.owner
            lines.append(f"= {owner}\n")
        lines.append(f"{file.digest} {name}\n")
    write_whole(path, "".join(lines).encode("utf-8", "surrogateescape"))


def read_paths(path: Path) -> dict[str, Installed]:
    """Reads what `write_paths` wrote: files by path."""
    files: dict[str, Installed] = {}
    owner = ""
    for line in path.read_bytes().decode("utf-8", "surrogateescape").split("\n"):
        head, _, name = line.partition(" ")
        if head == "=":
            owner = name
        elif name:
            files[name] = Installed(head, owner)
    return files
