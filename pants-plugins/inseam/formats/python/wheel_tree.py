"""Describes an installed wheel as a tar fragment, from which layers are merged.

A wheel tree consists of two files. `tree.tar` contains the members of the wheel one after the
other, each with its header and padding, in the wheel's own order, without directories and without
an end of archive. `tree.json` says which of its bytes belong to which path.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from inseam.formats.distribution import Wheel
from inseam.formats.files import write_whole
from inseam.formats.records import plain

TREE_TAR = "tree.tar"
TREE_INDEX = "tree.json"


class TreeFile(NamedTuple):
    """One path of a wheel tree."""

    path: str
    """Relative path in the image."""
    start: int
    """Offset in bytes of the start of its header in the fragment."""
    end: int
    """Offset in bytes of the end of its padding in the fragment."""
    digest: str
    """Hex sha256 of the content; files with the same one may share a path."""
    meaning: str = ""
    """As `shared_path.meaning_of` says."""


class Binary(NamedTuple):
    """An ELF file of a wheel."""

    path: str
    """Relative path in the image."""
    machine: str
    """The machine, by ELF's name (EM_X86_64 is "x86_64")."""
    soname: str
    """The name by which other files need it; "" if it has none."""
    needs: tuple[str, ...]
    """The libraries that the dynamic loader has to find for it."""


class WheelTree(NamedTuple):
    """A wheel installed under the venv: its identity, its ELF files and all of its files."""

    wheel: Wheel
    filename: str
    binaries: tuple[Binary, ...]
    files: tuple[TreeFile, ...]
    imports: tuple[tuple[str, str], ...] = ()
    """The result of `standard.imported` for its modules: pairs of module and path in the wheel."""

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines that its ELF files are for, sorted."""
        return tuple(sorted({binary.machine for binary in self.binaries}))


def write_tree(tree: WheelTree, folder: Path) -> None:
    """Writes `tree.json` below `folder`."""
    data = plain(tree._replace(binaries=(), files=()))
    data["wheel"] = tree.wheel.value()
    data["binaries"] = [list(binary) for binary in tree.binaries]
    data["files"] = [list(file) if file.meaning else list(file[:4]) for file in tree.files]
    write_whole(folder / TREE_INDEX, json.dumps(data, separators=(",", ":")).encode())


def read_tree(folder: Path) -> WheelTree:
    """Reads `tree.json` below `folder`."""
    data: dict[str, Any] = json.loads((folder / TREE_INDEX).read_bytes())
    return WheelTree(
        wheel=Wheel(**data["wheel"]),
        filename=data["filename"],
        binaries=tuple(
            Binary(path, machine, soname, tuple(needs))
            for path, machine, soname, needs in data["binaries"]
        ),
        files=tuple(TreeFile(*file) for file in data["files"]),
        imports=tuple((module, path) for module, path in data["imports"]),
    )
