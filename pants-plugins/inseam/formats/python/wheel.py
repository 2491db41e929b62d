"""Installs a wheel under the venv, as a tar fragment with bytecode.

PyPA's `installer` installs it (PEP 427), through a destination that writes tar members instead of
files. The result depends only on the wheel and the running interpreter.
"""

from __future__ import annotations

import hashlib
import posixpath
from io import BytesIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, Callable, Iterable, Tuple, cast

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, RecordEntry
from installer.utils import (
    Scheme,
    canonicalize_name,
    construct_record_file,
    fix_shebang,
)

from inseam.formats import elf
from inseam.formats.distribution import Wheel
from inseam.formats.failure import Failure, no_space
from inseam.formats.files import whole, write_whole
from inseam.formats.foreign_text import foreign_word
from inseam.formats.python.bytecode import compile_module, minor_version
from inseam.formats.python.checked_wheel import CheckedWheel, urlsafe
from inseam.formats.python.shared_path import meaning_of
from inseam.formats.python.standard import imported
from inseam.formats.python.venv import VENV, console_script, site_packages
from inseam.formats.python.wheel_errors import UNUSABLE, reason
from inseam.formats.python.wheel_facts import WHEEL_FACTS, dump_facts, facts_of
from inseam.formats.python.wheel_tree import (
    TREE_TAR,
    Binary,
    TreeFile,
    WheelTree,
    write_tree,
)
from inseam.formats.tar import (
    COPY_SIZE,
    EXECUTABLE_MODE,
    FILE_MODE,
    Member,
    Slice,
    check_member,
    header,
    padding,
)

_SHOWN = 400  # maximum number of characters of a path in an error
INSTALLER = b"inseam\n"


class FragmentDestination(WheelDestination):
    """The destination of the installer: members of a tar fragment, below the venv."""

    def __init__(self, out: BinaryIO, distribution: str) -> None:
        self._out = out
        self._offset = 0
        self._minor = minor_version()
        site = site_packages(self._minor)
        major, minor = self._minor
        self._schemes = {
            "purelib": site,
            "platlib": site,
            "scripts": f"{VENV}/bin",
            "data": VENV,
            "headers": f"{VENV}/include/site/python{major}.{minor}/{distribution}",
        }
        self.files: list[TreeFile] = []
        self.sizes: list[tuple[str, int]] = []  # path and bytes of content
        self.binaries: list[tuple[str, str, int, int]] = []  # path, machine, start and size
        self.imports: set[tuple[str, str]] = set()
        self._paths: set[str] = set()
        self._left_out: list[RecordEntry] = []

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
        """A console or gui script (PyPA entry points specification)."""
        data = console_script(module, attr)
        self._check_name("scripts", name)
        return self._write("scripts", name, BytesIO(data), len(data), executable=True)

    def write_file(
        self, scheme: Scheme, path: object, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        """Writes a file of the wheel, or one that the installer makes."""
        name = str(path)
        self._check_name(scheme, name)
        if scheme == "scripts":
            if f"{VENV}/bin/{name}" in self._paths:
                # A console script that the wheel ships for an entry point, which already has ours.
                return self._drop(name, stream)
            with fix_shebang(_seekable(stream), f"/{VENV}/bin/python") as fixed:
                data = fixed.read()
            return self._write(scheme, name, BytesIO(data), len(data), executable=True)
        if scheme in ("purelib", "platlib") and name.endswith(".py"):
            data = stream.read()
            record = self._write(scheme, name, BytesIO(data), len(data), is_executable)
            self.files[-1] = self.files[-1]._replace(meaning=meaning_of(name, data))
            self.imports.update((module, name) for module in imported(name, data))
            compiled = compile_module(data, name, self._schemes[scheme], self._minor)
            if compiled is not None:
                cached, content = compiled
                self._write(scheme, cached, BytesIO(content), len(content), executable=False)
            return record
        if name.endswith(".pyc") and "__pycache__/" in name:
            # Bytecode that a build left in the wheel: its timestamp is not valid here.
            return self._drop(name, stream)
        size = getattr(stream, "size", None)
        if size is None:
            data = stream.read()
            stream, size = BytesIO(data), len(data)
        return self._write(scheme, name, stream, size, is_executable)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[Tuple[Scheme, RecordEntry]]
    ) -> None:
        """Writes RECORD, sorted by path."""

        def prefix(file_scheme: str) -> str | None:
            if self._schemes[file_scheme] == self._schemes[scheme]:
                return None
            return posixpath.relpath(self._schemes[file_scheme], self._schemes[scheme]) + "/"

        left_out = {id(record) for record in self._left_out}
        kept = [item for item in records if id(item[1]) not in left_out]
        ordered = sorted(kept, key=lambda item: (prefix(item[0]) or "", item[1].path))
        with construct_record_file(ordered, prefix) as stream:
            data = stream.read()
        self._write(scheme, record_file_path, BytesIO(data), len(data), executable=False)

    def _check_name(self, scheme: str, name: str) -> None:
        path = posixpath.normpath(f"{self._schemes[scheme]}/{name}")
        if not path.startswith(f"{self._schemes[scheme]}/"):
            raise ValueError(f"it puts {foreign_word(name)} outside of its place ({scheme})")

    def _drop(self, name: str, stream: BinaryIO) -> RecordEntry:
        """Leaves a file of the wheel out after checking it; it will not be in RECORD."""
        record = RecordEntry(name, None, len(stream.read()))
        self._left_out.append(record)
        return record

    def _write(
        self, scheme: str, name: str, stream: BinaryIO, size: int, executable: bool
    ) -> RecordEntry:
        path = posixpath.normpath(f"{self._schemes[scheme]}/{name}")
        mode = EXECUTABLE_MODE if executable else FILE_MODE
        member = Member(path, Slice("", 0, size), mode)
        check_member(member)
        if path in self._paths:
            raise ValueError(f"it puts two files at /{path[:_SHOWN]}")
        self._paths.add(path)
        start = self._offset
        self._append(header(member))
        content = hashlib.sha256()
        written = 0
        while piece := stream.read(COPY_SIZE):
            if not written and (found := elf.machine(piece[:20])):
                self.binaries.append((path, found, self._offset, size))
            content.update(piece)
            self._append(piece)
            written += len(piece)
        if written != size:
            raise ValueError(f"{path} has {written} bytes where {size} were announced")
        self._append(padding(size))
        self.files.append(TreeFile(path, start, self._offset, content.hexdigest()))
        self.sizes.append((path, size))
        return RecordEntry(name, Hash("sha256", urlsafe(content.digest())), size)

    def _append(self, data: bytes) -> None:
        self._out.write(data)
        self._offset += len(data)


def _seekable(stream: BinaryIO) -> BinaryIO:
    return BytesIO(stream.read())


def install_wheel(
    path: Path, out: Path, warn: Callable[[str], object] = lambda _: None, *, source: str = ""
) -> WheelTree:
    """Installs the wheel at `path` as a wheel tree in the folder `out`.

    source: what it was built from, if it was built.
    warn: called once with what is wrong if RECORD does not list exactly the wheel's files.

    Raises Failure, naming the wheel, if it violates PEP 427 or if its RECORD is wrong.
    """
    try:
        with CheckedWheel.open(path) as wheel_file, whole(out / TREE_TAR) as fragment:
            opened = cast(CheckedWheel, wheel_file)  # `open` is annotated with the parent's type
            opened.check_format()
            opened.check_identity()
            destination = FragmentDestination(fragment, opened.distribution)
            installer.install(opened, destination, {"INSTALLER": INSTALLER})
            if opened.amended:
                warn(
                    f"{path.name}: RECORD {', and '.join(opened.amended)}. The installed RECORD"
                    " lists what is installed."
                )
            name = canonicalize_name(opened.distribution)
            wheel = Wheel(name, opened.version, sha256_of(path), source)
            facts = facts_of(_metadata(opened), destination.sizes)
    except UNUSABLE as error:
        if no_space(error):
            raise
        raise Failure(f"{path.name} is not a usable wheel: {reason(error)}") from error
    binaries = _binaries(out / TREE_TAR, destination.binaries)
    imports = tuple(sorted(destination.imports))
    tree = WheelTree(wheel, path.name, binaries, tuple(destination.files), imports)
    write_tree(tree, out)
    write_whole(out / WHEEL_FACTS, dump_facts(facts))
    return tree


def _metadata(wheel: CheckedWheel) -> bytes:
    """Its METADATA; empty if it has none, as some wheels do."""
    try:
        return wheel.read_dist_info("METADATA").encode()
    except (KeyError, InstallerError):
        return b""


def _binaries(fragment: Path, places: Iterable[tuple[str, str, int, int]]) -> tuple[Binary, ...]:
    """What the ELF files in a fragment need; `places` as in FragmentDestination.

    A damaged file needs nothing, because some wheels contain such files as test data.
    """
    found: list[Binary] = []
    if not (places := sorted(places)):
        return ()
    with open(fragment, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
        for path, machine, start, size in places:
            with memoryview(mapped) as whole_file, whole_file[start : start + size] as data:
                try:
                    libraries = tuple(name for name in elf.needed(data) if name and "/" not in name)
                    found.append(Binary(path, machine, elf.soname(data), libraries))
                except ValueError:
                    found.append(Binary(path, machine, "", ()))
    return tuple(found)


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        while piece := source.read(COPY_SIZE):
            digest.update(piece)
    return digest.hexdigest()
