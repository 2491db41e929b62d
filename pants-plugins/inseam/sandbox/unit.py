"""Describes an installed wheel as a tar fragment, the unit that layers are joined from.

A unit is two files. `unit.tar` holds the members of the wheel one after the other, each with its
header and padding, in the wheel's own order, without directories and without end-of-archive.
`unit.json` says which bytes of it are which path.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from inseam.sandbox.files import write_whole
from inseam.sandbox.records import plain

FRAGMENT = "unit.tar"
INDEX = "unit.json"


class Piece(NamedTuple):
    """One path of a unit.

    path: relative path in the image. start, end: the bytes of header, content and padding in the
    fragment. digest: hex sha256 of the content, equal for two pieces that may share a path.
    """

    path: str
    start: int
    end: int
    digest: str


class Wheel(NamedTuple):
    """A distribution as the lock names it; sha256 is that of the wheel file, in hex."""

    name: str
    version: str
    sha256: str


class Unit(NamedTuple):
    """A wheel laid out under the venv: what it is, its pieces, and the machines of its ELF files
    by their ELF names (EM_X86_64 is "x86_64")."""

    wheel: Wheel
    filename: str
    machines: tuple[str, ...]
    pieces: tuple[Piece, ...]


def write_index(unit: Unit, directory: Path) -> None:
    """Writes `unit.json` below `directory`."""
    data = plain(unit._replace(pieces=()))
    data["pieces"] = [[p.path, p.start, p.end, p.digest] for p in unit.pieces]
    write_whole(directory / INDEX, json.dumps(data, separators=(",", ":")).encode())


def read_index(directory: Path) -> Unit:
    """Reads `unit.json` below `directory`."""
    data: dict[str, Any] = json.loads((directory / INDEX).read_bytes())
    return Unit(
        wheel=Wheel(**data["wheel"]),
        filename=data["filename"],
        machines=tuple(data["machines"]),
        pieces=tuple(Piece(*piece) for piece in data["pieces"]),
    )
