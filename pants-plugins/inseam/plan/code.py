"""Splits a service's first-party code into units that are compiled separately."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

# Each unit costs one process, which services share as far as they share code.
MOST_UNITS = 16

# The files that a folder may contain and still count as a container for other packages.
_OF_A_NAMESPACE = {"__init__.py", "py.typed"}


class CodeUnit(NamedTuple):
    """Files that are compiled together."""

    name: str
    """The path of the folder that contains them. If folders below it are separate units, its path
    and "/"; "/" for files at the top.
    """
    folder: str
    """The folder whose entries become fragments of the layer; "" for the top."""
    paths: tuple[str, ...]
    """Sorted."""


class _Folder:
    """A folder's files, by path, and the folders in it, by name."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.files: list[str] = []
        self.folders: dict[str, _Folder] = {}

    def inner(self, name: str) -> _Folder:
        """The subfolder of that name, created if necessary."""
        path = f"{self.path}/{name}".lstrip("/")
        return self.folders.setdefault(name, _Folder(path))

    def everything(self) -> Iterable[str]:
        """The files in it and below it."""
        yield from self.files
        for folder in self.folders.values():
            yield from folder.everything()

    @property
    def is_namespace(self) -> bool:
        """Whether it only contains other packages."""
        names = {path.rpartition("/")[2] for path in self.files}
        return bool(self.folders) and names <= _OF_A_NAMESPACE


def split_code(paths: Iterable[str], most: int = MOST_UNITS) -> tuple[CodeUnit, ...]:
    """The units of the files with these import paths, sorted by name.

    A unit is a top-level package with everything in it, so that a library is the same unit for all
    services that use the same modules of it. A package that contains only other packages, such as
    `company` around `company.libs.db`, is split further as long as there are at most `most` units;
    packages nearest to the top are split first.
    """
    top = _Folder("")
    for path in paths:
        *folders, _ = path.split("/")
        folder = top
        for name in folders:
            folder = folder.inner(name)
        folder.files.append(path)
    units: list[CodeUnit] = []
    count = _count(top)
    queue = deque([(top, "")])
    while queue:
        folder, at = queue.popleft()
        if folder is top or (folder.is_namespace and count - 1 + _count(folder) <= most):
            count += _count(folder) - 1 if folder is not top else 0
            if folder.files:
                name = f"{folder.path}/"
                units.append(CodeUnit(name, folder.path, tuple(sorted(folder.files))))
            queue.extend((folder.folders[name], folder.path) for name in sorted(folder.folders))
        else:
            units.append(CodeUnit(folder.path, at, tuple(sorted(folder.everything()))))
    return tuple(sorted(units))


def _count(folder: _Folder) -> int:
    """The number of units that a folder becomes if it is split."""
    return len(folder.folders) + bool(folder.files)
