"""Reads an archive with an unpacked CPython, such as python-build-standalone's `install_only` ones.

Such an archive contains `python/bin/python3.N` and `python/lib/python3.N`, with `t` after the
version for a free-threaded build; the first folder may have any name, or be missing. In the image,
they are below /usr/local, as in Python's official images. Files that services do not need are left
out, as for Debian's packages of CPython.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inseam.formats.elf import MACHINES, machine
from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.glibc import GlibcVersion
from inseam.formats.numbers import whole_number
from inseam.formats.python.archive import PREFIX
from inseam.formats.rootfs.links import by_path, resolve
from inseam.formats.rootfs.slim import LEFT_OUT_OF_STDLIB, compile_patterns
from inseam.formats.schema import shown
from inseam.formats.tar import EXECUTABLE_MODE, FILE_MODE, Member
from inseam.formats.untar import UNREADABLE, content, members, opened_tar

_PROGRAM = re.compile(r"(?:(?P<top>(?:[^/]+/)*))?bin/python(?P<version>3\.\d+t?)")
_VERSION = re.compile(rb'#define\s+PY_VERSION\s+"([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})')
_GLIBC = re.compile(rb"\0GLIBC_2\.([0-9]+)(?=\0)")
# Parts of the standard library that only installers and compilers use.
_LEFT_OUT = ("**/__pycache__", "**/*.pyc", "**/*.a", "config-*", "site-packages", "venv/scripts/nt")
_LARGEST = 1 << 30  # maximum total size in bytes; the largest archives have a tenth of it


@dataclass(frozen=True)
class PythonArchive:
    """An archive with CPython, read."""

    members: list[Member]
    """The members for the root filesystem."""
    interpreter: str
    """The interpreter's absolute path there."""
    version: str
    """Version X.Y.Z; "" if the archive does not say."""


def read_archive(
    path: Path, sha256: str, architecture: str, glibc: GlibcVersion | None
) -> PythonArchive:
    """Reads the archive, a tar that `tarfile` can read.

    architecture: that of the image, by Debian's name. glibc: that of the image; None if it has
    none.

    Raises Failure if the sha256 does not match, and if the archive does not contain a CPython that
    runs in the image.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise Failure(
            f"{path.name} has the sha256 {found}, but the base names {sha256}. If the file is"
            " right, correct the base."
        )
    try:
        with opened_tar(path, _LARGEST) as archive:
            entries = dict(_entries(archive, path.name))
    except UNREADABLE as error:
        raise Failure(
            f"{path.name} is not an archive that can be read: {shown(str(error))[1:-1]}"
        ) from None
    top, version = _program(entries, path.name)
    owner = f"the archive {path.name}"
    members = list(_members(entries, top, version, owner))
    there = by_path(members)
    program = there.get(resolve(f"{PREFIX}/bin/python{version}", there) or "")
    if program is None or not isinstance(program.content, bytes):
        raise Failure(f"{path.name} has bin/python{version}, but it is a link that leads nowhere.")
    if f"{PREFIX}/lib/python{version}/os.py" not in there:
        raise Failure(
            f"{path.name} has bin/python{version}, but no lib/python{version}/os.py: it must have"
            " CPython with its standard library, as python-build-standalone's `install_only`"
            " archives do."
        )
    wanted = MACHINES.get(architecture, architecture)
    built_for = machine(program.content[:20])
    if built_for != wanted:
        what = f"built for {built_for}" if built_for else "not a program of Linux"
        raise Failure(f"The CPython in {path.name} is {what}, but the image is for {wanted}.")
    _check_glibc(members, path.name, glibc)
    return PythonArchive(
        members, f"/{PREFIX}/bin/python{version}", _full_version(entries, top, version)
    )


def _entries(archive: tarfile.TarFile, name: str) -> Iterator[tuple[str, Member]]:
    """Files and links by path; a hard link becomes a link to its target."""
    for info in members(archive):
        path = posixpath.normpath(info.name)
        if path.startswith(("/", "../")) or path == "..":
            raise Failure(f"{name} has the path {foreign_word(info.name)}, which leads out of it.")
        if info.isreg():
            mode = EXECUTABLE_MODE if info.mode & 0o111 else FILE_MODE
            yield path, Member(path, content(archive, info), mode=mode)
        elif info.issym():
            yield path, Member(path, link=info.linkname)
        elif info.islnk():
            target = posixpath.normpath(info.linkname)
            yield path, Member(path, link=posixpath.relpath(target, posixpath.dirname(path) or "."))


def _program(entries: Iterable[str], name: str) -> tuple[str, str]:
    """The folder that CPython is in, "" or with a slash at its end, and its version, "3.13t"."""
    found = [match for match in map(_PROGRAM.fullmatch, sorted(entries)) if match]
    # A free-threaded build also has a link to its interpreter without the `t`.
    free = [match for match in found if match["version"].endswith("t")]
    if len(free or found) != 1:
        many = ", ".join(match[0] for match in found) or "none"
        raise Failure(
            f"{name} must have one `bin/python3.N`, as python-build-standalone's `install_only`"
            f" archives do, but it has {many}."
        )
    (match,) = free or found
    return match["top"] or "", match["version"]


def _members(entries: dict[str, Member], top: str, version: str, owner: str) -> Iterator[Member]:
    """The interpreter, its own shared libraries and its standard library, at their places."""
    stdlib = f"lib/python{version}/"
    left_out = compile_patterns([*LEFT_OUT_OF_STDLIB, *_LEFT_OUT])
    for path, member in sorted(entries.items()):
        if not path.startswith(top):
            continue
        inner = path[len(top) :]
        if inner.startswith(stdlib):
            kept = not left_out.match(inner[len(stdlib) :])
        else:
            library = re.fullmatch(r"lib/[^/]+\.so(\.[0-9.]+)?", inner) is not None
            # The library with the stable ABI is for programs that embed CPython.
            kept = inner == f"bin/python{version}" or library and inner != "lib/libpython3.so"
        if kept:
            yield member._replace(path=f"{PREFIX}/{inner}", owner=owner)
    for name in dict.fromkeys(("python3", f"python{version.rstrip('t')}")):
        if name != f"python{version}":
            yield Member(f"{PREFIX}/bin/{name}", link=f"python{version}", owner=owner)


def _full_version(entries: dict[str, Member], top: str, version: str) -> str:
    header = entries.get(f"{top}include/python{version}/patchlevel.h")
    match = (
        _VERSION.search(header.content) if header and isinstance(header.content, bytes) else None
    )
    return match[1].decode() if match else ""


def _glibc(digits: bytes) -> GlibcVersion:
    """The version with these digits; for anything else, one that is newer than all others."""
    minor = whole_number(digits)
    return GlibcVersion(2, 10**19 if minor is None else minor)


def _check_glibc(members: Iterable[Member], name: str, glibc: GlibcVersion | None) -> None:
    """Raises Failure if a file needs symbols of a newer glibc than the image's."""
    found = {
        minor
        for member in members
        if isinstance(member.content, bytes) and member.content[:4] == b"\x7fELF"
        for minor in _GLIBC.findall(member.content)
    }
    newest = max(map(_glibc, found), default=GlibcVersion(0, 0))
    if glibc is not None and newest > glibc:
        raise Failure(
            f"The CPython in {name} needs glibc {newest} or newer, but the base has {glibc}: take"
            " the Debian packages of a newer release."
        )
