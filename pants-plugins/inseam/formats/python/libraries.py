"""Lists the shared libraries that a layer of wheels has and needs: `libraries.json`."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path
from typing import Iterable, NamedTuple

from inseam.formats.files import write_whole
from inseam.formats.python.wheel_tree import WheelTree

LIBRARIES = "libraries.json"


class NeededLibrary(NamedTuple):
    """A library that a wheel needs and does not have: its name, the wheel's file name, and the path
    of the first of its files that needs it."""

    name: str
    wheel: str
    path: str


class WheelLibraries(NamedTuple):
    """The shared libraries of a layer's wheels."""

    names: tuple[str, ...]
    """Names of all libraries in the wheels, sorted."""
    needed: tuple[NeededLibrary, ...]
    """Sorted, with one entry for each wheel and name."""


def libraries_of(trees: Iterable[WheelTree], machine: str | None) -> WheelLibraries:
    """What the wheels have and need on a machine, by ELF name; None for all machines."""
    names: set[str] = set()
    needed: dict[tuple[str, str], NeededLibrary] = {}
    for tree in trees:
        binaries = [one for one in tree.binaries if machine in (None, one.machine)]
        own = {posixpath.basename(one.path) for one in binaries}
        own |= {one.soname for one in binaries if one.soname}
        names |= own
        for one in sorted(binaries):
            for name in set(one.needs) - own:
                key = name, tree.filename
                needed.setdefault(key, NeededLibrary(name, tree.filename, one.path))
    return WheelLibraries(tuple(sorted(names)), tuple(needed[key] for key in sorted(needed)))


def write_libraries(libraries: WheelLibraries, folder: Path) -> None:
    """Writes `libraries.json` below `folder`."""
    value = {"names": libraries.names, "needed": [list(one) for one in libraries.needed]}
    write_whole(folder / LIBRARIES, json.dumps(value).encode())


def load_libraries(text: bytes) -> WheelLibraries:
    """Reads the text of a `libraries.json`."""
    value = json.loads(text)
    return WheelLibraries(
        tuple(value["names"]), tuple(NeededLibrary(*one) for one in value["needed"])
    )
