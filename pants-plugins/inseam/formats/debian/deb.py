"""Reads a Debian binary package (deb(5)) as members of a root filesystem."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, Callable, Iterator, Mapping

from inseam.formats.debian.control import DebianError, Paragraph, single_paragraph
from inseam.formats.foreign_text import foreign_word
from inseam.formats.numbers import whole_number
from inseam.formats.schema import shown
from inseam.formats.tar import Member
from inseam.formats.untar import UNREADABLE, bounded_tar, content
from inseam.formats.untar import members as tar_members
from inseam.formats.xz import XzFile

AR_MAGIC = b"!<arch>\n"
AR_HEADER_SIZE = 60
AR_HEADER_END = b"`\n"
LARGEST_UNPACKED = 2 << 30
"""Largest size in bytes of each of the two tars in a package."""
_FORMAT = re.compile(rb"2\.[0-9]{1,3}(\n|\Z)")
_AR_NAME = re.compile(r"[A-Za-z0-9_.+-]+")
# The prefix of the owner of a package's members; the name and version follow.
PACKAGE_OWNER = "Debian package "


@dataclass(frozen=True)
class Deb:
    """A binary package."""

    control: Paragraph
    """Fields of its control file (policy 5.3), for example Package and Version."""
    control_text: str
    """The unchanged text of the control file."""
    md5sums: str
    """Its md5sums file (deb-md5sums(5)); empty if it has none."""
    postinst: str
    """The script that dpkg would run after unpacking it; it is never run here."""
    members: tuple[Member, ...]
    """Its files, links and directories, in the order of the package. Modes are as packed."""
    hard_links: Mapping[str, str]
    """Maps the path of each hard link to the path of its regular file in `members`."""

    @property
    def name(self) -> str:
        return self.control["Package"]

    @property
    def version(self) -> str:
        return self.control["Version"]

    @property
    def architecture(self) -> str:
        return self.control["Architecture"]


def read_deb(path: str) -> Deb:
    """Reads a .deb file.

    Raises DebianError, naming the package, if it is damaged, if it unpacks to more than
    LARGEST_UNPACKED bytes, or if it has a member that an image must not contain: an absolute path
    or one with `..`, a device, or two entries for the same path.
    """
    owner = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise DebianError(f"{path}: cannot read this Debian package: {error.strerror}") from None
    parts = _read_ar(data, owner)
    version = parts.get("debian-binary", b"")
    if not _FORMAT.match(version):
        raise DebianError(
            f"{owner} is not a Debian package of format 2: its debian-binary is"
            f" {foreign_word(version[:20].decode('utf-8', 'replace'))}"
        )
    control_files = _control_files(parts, owner)
    try:
        control_text = control_files["control"].decode()
    except KeyError:
        raise DebianError(f"{owner} is damaged: it has no control file") from None
    except UnicodeDecodeError:
        raise DebianError(f"{owner} is damaged: its control file is not UTF-8") from None
    control = single_paragraph(control_text, owner)
    for field in ("Package", "Version", "Architecture"):
        if not control.get(field):
            raise DebianError(f"{owner} is damaged: its control file has no {field} field")
    owner = f"{PACKAGE_OWNER}{shown(control['Package'])[1:-1]} {shown(control['Version'])[1:-1]}"
    members, hard_links = _members(parts, owner)
    md5sums = control_files.get("md5sums", b"").decode("utf-8", "surrogateescape")
    postinst = control_files.get("postinst", b"").decode("utf-8", "replace")
    return Deb(control, control_text, md5sums, postinst, members, hard_links)


def _read_ar(data: bytes, owner: str) -> dict[str, bytes]:
    if not data.startswith(AR_MAGIC):
        raise DebianError(f"{owner} is not a Debian package: it does not start as an ar archive")
    parts: dict[str, bytes] = {}
    at = len(AR_MAGIC)
    while at < len(data):
        header = data[at : at + AR_HEADER_SIZE]
        at += AR_HEADER_SIZE
        name = header[:16].decode("ascii", "replace").rstrip().rstrip("/")
        size = whole_number(header[48:58].rstrip(b" "))
        if header[58:] != AR_HEADER_END or size is None or not _AR_NAME.fullmatch(name):
            raise DebianError(f"{owner} is damaged: a garbled ar header at byte {at}")
        if at + size > len(data):
            raise DebianError(f"{owner} is damaged: it ends in the middle of {name}")
        if name in parts:
            raise DebianError(f"{owner} is damaged: it has {name} twice")
        parts[name] = data[at : at + size]
        at += size + size % 2
    return parts


def _open_zst(data: IO[bytes]) -> IO[bytes]:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise DebianError(
            "it is packed with zstd, which this Python cannot unpack;"
            " Debian's own packages use xz: lock the package from a Debian suite"
        ) from None
    opened: IO[bytes] = zstd.open(data)
    return opened


_OPEN: Mapping[str, Callable[[IO[bytes]], Any]] = {
    "": lambda data: data,
    ".gz": gzip.open,
    ".xz": XzFile,
    ".bz2": bz2.open,
    ".zst": _open_zst,
}


def _entries(
    parts: Mapping[str, bytes], stem: str, owner: str
) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """The members of one of the two tars of a package, each with its content."""
    found = [name for name in parts if name.startswith(stem)]
    if len(found) != 1:
        raise DebianError(f"{owner} is damaged: it has {len(found)} members {stem}*, not one")
    opener = _OPEN.get(found[0][len(stem) :])
    if opener is None:
        raise DebianError(f"{owner}: {found[0]} has an unknown compression")
    try:
        with opener(io.BytesIO(parts[found[0]])) as stream:
            with bounded_tar(stream, LARGEST_UNPACKED) as tar:
                for info in tar_members(tar):
                    yield info, content(tar, info) if info.isreg() else b""
    except DebianError as error:
        raise DebianError(f"{owner}: {error}") from None
    except UNREADABLE as error:
        raise DebianError(
            f"{owner} is damaged: cannot unpack {found[0]}: {shown(str(error))[1:-1]}"
        ) from None


def _control_files(parts: Mapping[str, bytes], owner: str) -> dict[str, bytes]:
    return {
        info.name[2:] if info.name.startswith("./") else info.name: data
        for info, data in _entries(parts, "control.tar", owner)
        if info.isreg()
    }


def member_path(name: str, owner: str) -> str:
    """The path in the image of the tar entry `name`; empty for the root directory itself.

    Raises DebianError for a name that is absolute or climbs out with `..`.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or not name:
        raise DebianError(
            f"{owner} has the unusable path {foreign_word(name)}; do not use this package"
        )
    return "" if str(path) == "." else str(path)


def _members(
    parts: Mapping[str, bytes], owner: str
) -> tuple[tuple[Member, ...], Mapping[str, str]]:
    members: dict[str, Member] = {}
    hard_links: dict[str, str] = {}
    for info, data in _entries(parts, "data.tar", owner):
        path = member_path(info.name, owner)
        if not path:
            continue
        if path in members or path in hard_links:
            raise DebianError(f"{owner} has /{path} twice; do not use this package")
        mode = info.mode & 0o7777
        if info.isdir():
            members[path] = Member(path, mode=mode, directory=True, owner=owner)
        elif info.issym():
            if not info.linkname:
                raise DebianError(f"{owner} is damaged: the link /{path} has no target")
            members[path] = Member(path, link=info.linkname, owner=owner)
        elif info.islnk():
            target = member_path(info.linkname, owner)
            known = members.get(target)
            if known is None or known.directory or known.link is not None:
                raise DebianError(
                    f"{owner} is damaged: /{path} links to /{target}, which does not exist"
                )
            hard_links[path] = target
        elif info.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            members[path] = Member(path, data, mode=mode, owner=owner)
        else:
            raise DebianError(
                f"{owner} has /{path}, which is a device, a pipe or another special file that an"
                " image must not contain; do not use this package"
            )
    return tuple(members.values()), hard_links
