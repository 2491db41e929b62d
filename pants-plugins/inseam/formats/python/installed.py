"""Describes layers of wheels: the formats of `paths.txt`, `names.txt` and `imports.txt`."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple

from inseam.formats.files import write_whole

PATHS = "paths.txt"
NAMES = "names.txt"
IMPORTS = "imports.txt"


class Installed(NamedTuple):
    """A file of a layer."""

    digest: str
    """Hex sha256 of its content."""
    owner: str
    """Who installed it, such as the file name of a wheel."""
    meaning: str = ""
    """As `shared_path.meaning_of` says."""


def write_paths(files: Mapping[str, Installed], path: Path) -> None:
    """Writes what a layer holds, by owner: a line `= <owner>`, then, for each file, a line
    `<digest> <path>`, after a line `~ <meaning>` if its meaning is known."""
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
    return load_paths(path.read_bytes())


def load_paths(text: bytes) -> dict[str, Installed]:
    """Reads the text of a `paths.txt`."""
    files: dict[str, Installed] = {}
    owner = meaning = ""
    for line in text.decode("utf-8", "surrogateescape").split("\n"):
        head, _, name = line.partition(" ")
        if head == "=":
            owner = name
        elif head == "~":
            meaning = name
        elif name:
            files[name] = Installed(head, owner, meaning)
            meaning = ""
    return files


def first_name(path: str) -> str:
    """The first part of a relative path, up to a dot. For a module's path, this is the name by
    which `import` finds it.
    """
    return path.partition("/")[0].partition(".")[0]


def write_names(files: Iterable[str], site: str, scripts: str, path: Path) -> None:
    """Writes the names by which files of a layer could conflict with others: a line with the first
    name of each file in the folder `site`, and a line with the path of each in `scripts`.
    """
    names = set()
    for file in files:
        if file.startswith(f"{site}/"):
            names.add(first_name(file[len(site) + 1 :]))
        elif file.startswith(f"{scripts}/"):
            names.add(file)
    text = "".join(f"{name}\n" for name in sorted(names))
    write_whole(path, text.encode("utf-8", "surrogateescape"))


def load_names(text: bytes) -> frozenset[str]:
    """Reads the text of a `names.txt`."""
    return frozenset(text.decode("utf-8", "surrogateescape").split("\n")[:-1])


class Import(NamedTuple):
    """A standard module that a file in a wheel imports, and that not every Python has."""

    module: str
    wheel: str
    path: str


def write_imports(imports: Iterable[Import], path: Path) -> None:
    """Writes a line `<module> <wheel> <path>` for each."""
    text = "".join(f"{' '.join(one)}\n" for one in sorted(imports))
    write_whole(path, text.encode("utf-8", "surrogateescape"))


def load_imports(text: bytes) -> tuple[Import, ...]:
    """Reads the text of an `imports.txt`."""
    lines = text.decode("utf-8", "surrogateescape").split("\n")[:-1]
    return tuple(Import(*line.split(" ", 2)) for line in lines)


class InstalledFiles:
    """The files of several layers, which do not conflict.

    There may be ten thousand of them, and most code has no name in common with them. So they are
    only read when they are needed.

    site: the folder of site-packages, as a relative path in the image.
    """

    def __init__(self, folders: Iterable[Path], site: str) -> None:
        self._texts = [(folder / PATHS).read_bytes() for folder in folders]
        self._site = site

    @cached_property
    def files(self) -> dict[str, Installed]:
        """All of them, by path."""
        return {path: file for text in self._texts for path, file in load_paths(text).items()}

    @cached_property
    def modules(self) -> dict[str, str]:
        """The modules in site-packages, with slashes for dots, and the paths of their files."""
        start = f"{self._site}/"
        return {
            module_stem(path[len(start) :]): path
            for path in self.files
            if path.startswith(start) and path.endswith((".py", ".so"))
        }

    def find(self, path: str) -> Installed | None:
        """The file at a path, if there is one."""
        wanted = f" {path}\n".encode("utf-8", "surrogateescape")
        return self.files[path] if any(wanted in text for text in self._texts) else None

    def top_level(self) -> frozenset[str]:
        """The top-level names in site-packages, including some that cannot be imported."""
        name = re.compile(
            b"^[0-9a-f]+ " + re.escape(f"{self._site}/").encode() + b"([^/.\n]*)", re.M
        )
        found = {match for text in self._texts for match in name.findall(text)}
        return frozenset(match.decode("utf-8", "surrogateescape") for match in found)


def module_stem(name: str) -> str:
    """The module in the file `name`, with slashes for dots."""
    folder, _, base = name.rpartition("/")
    stem = base.split(".")[0]
    return folder if stem == "__init__" else f"{folder}/{stem}".lstrip("/")
