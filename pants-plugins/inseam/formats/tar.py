"""Writes layer tars whose bytes depend on nothing but their members.

The rules, which `check_member` and `write_tar` enforce together: members sorted by path, every
parent directory present exactly once and before its children, mtime 0, owner 0:0 without names,
no extended header other than the pax `path`, `linkpath` and `size` records of POSIX.1-2001 that
a value too long or too large for its ustar field needs.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import BinaryIO, Iterable, Mapping, NamedTuple, Union

BLOCK = 512
END_OF_ARCHIVE = b"\0" * (2 * BLOCK)
COPY_SIZE = 1 << 20

WHITEOUT = ".wh."  # OCI image-spec, layer.md, "Whiteouts"

FILE_MODE = 0o644
EXECUTABLE_MODE = 0o755
DIRECTORY_MODE = 0o755

# Maximum bytes of a part of a path (NAME_MAX), and of a whole one: PATH_MAX minus what an engine
# puts in front of it.
LONGEST_NAME = 255
LONGEST_PATH = 3840
_LONGEST_LINK = 4095

# What the fields of a ustar header can hold: bytes of a path, and of a file.
_LONGEST = 100
_LARGEST = 8**11 - 1
LARGEST_UID = 8**7 - 1


class TarError(Exception):
    """A set of members that a layer cannot contain; the text names the path and the owners."""


class Slice(NamedTuple):
    """`size` bytes of the file `path` on the build machine, starting at byte `offset`."""

    path: str
    offset: int
    size: int


class Member(NamedTuple):
    """One entry of a layer."""

    path: str
    """Relative POSIX path inside the image, without leading or trailing slash."""
    content: Union[bytes, Slice] = b""
    """The bytes of a regular file, in memory or on disk; empty for other kinds."""
    mode: int = FILE_MODE
    """Permission bits."""
    link: str | None = None
    """Target of a symbolic link (`content` and `mode` are then ignored)."""
    directory: bool = False
    """True for a directory. Only needed for one that is empty or whose mode is not 0755; the others
    are created from the paths of the files.
    """
    owner: str = ""
    """The origin of the member, for error messages: a wheel, a Debian package, a target."""
    uid: int = 0
    """The user that it belongs to, at most LARGEST_UID; the group is always 0."""

    @property
    def size(self) -> int:
        """Size of the content in bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size


class TarInfo(NamedTuple):
    """A written tar: its `diff_id` (OCI image-spec, config.md, "Layer DiffID") and its bytes."""

    diff_id: str
    size: int


def check_member(member: Member) -> None:
    """Raises TarError if the member's path is not a plain relative path inside the image, if Linux
    does not allow that name, or if a container engine would take it for a deletion.
    """
    path = PurePosixPath(member.path)
    if (
        not member.path
        or path.is_absolute()
        or str(path) != member.path
        or "\0" in member.path
        or "\n" in member.path
        or any(part in ("..", ".") for part in path.parts)
    ):
        raise TarError(f"{member.owner or 'a member'} has the unusable path {member.path!r}")
    if len(member.path) > LONGEST_NAME // 4:  # a character has at most four bytes
        _check_length(member)
    if member.link is not None and (
        not member.link
        or "\0" in member.link
        or len(member.link.encode("utf-8", "surrogateescape")) > _LONGEST_LINK
    ):
        raise TarError(f"{member.owner}: /{member.path} is a link to {member.link[:100]!r}")
    if any(part.startswith(WHITEOUT) for part in path.parts):
        raise TarError(
            f"{member.owner or 'a member'} has /{member.path}, but container engines take a name"
            f" that starts with {WHITEOUT} for the deletion of a file of lower layers"
        )
    if member.directory and member.content:
        raise TarError(f"{member.owner}: the directory {member.path} has content")


def _check_length(member: Member) -> None:
    path = member.path.encode("utf-8", "surrogateescape")
    if len(path) > LONGEST_PATH or max(map(len, path.split(b"/"))) > LONGEST_NAME:
        raise TarError(
            f"{member.owner or 'a member'} has a path that no engine can unpack: a name has at most"
            f" {LONGEST_NAME} bytes, a path {LONGEST_PATH}: {member.path[:300]!r}"
        )


def header(member: Member) -> bytes:
    """The tar header of a member, preceded by a pax header if ustar's fields are too small.

    The bytes are those that the standard library's `tarfile` writes, but importing that takes
    longer than writing a service's layer.
    """
    size = 0
    if member.link is not None:
        kind, mode = b"2", 0o777
    elif member.directory:
        kind, mode = b"5", member.mode
    else:
        kind, mode, size = b"0", member.mode, member.size
    path = member.path + "/" if member.directory else member.path
    link = member.link or ""
    records = [
        (key, value)
        for key, value in (("path", path), ("linkpath", link))
        if len(value) > _LONGEST or not value.isascii()
    ]
    if size > _LARGEST:
        records.append(("size", str(size)))
        size = 0
    plain = _ustar(path, kind, mode, size, link, member.uid)
    return (_pax(records) if records else b"") + plain


def _ustar(path: str, kind: bytes, mode: int, size: int, link: str = "", uid: int = 0) -> bytes:
    """A header block of POSIX.1-2001 ustar, whose size is below 8 GiB."""
    start = b"%s%07o\0%07o\0000000000\0%011o\00000000000000\0" % (
        path.encode("ascii", "replace")[:_LONGEST].ljust(_LONGEST, b"\0"),
        mode & 0o7777,
        uid,
        size,
    )
    end = kind + link.encode("ascii", "replace")[:_LONGEST].ljust(_LONGEST, b"\0") + b"ustar\x0000"
    checksum = (
        8 * ord(" ") + sum(start) + sum(end)
    )  # the checksum is computed as if its own field contained spaces
    return (start + b"%06o\0 " % checksum + end).ljust(BLOCK, b"\0")


def _pax(records: Iterable[tuple[str, str]]) -> bytes:
    """A pax header block, and its records, for the member whose header follows."""
    data = b"".join(
        _pax_record(key.encode(), value.encode("utf-8", "surrogateescape"))
        for key, value in _with_charset(records)
    )
    return _ustar("././@PaxHeader", b"x", 0, len(data)) + data + padding(len(data))


def _with_charset(records: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The records, preceded by one that says if a value is not UTF-8."""
    found = list(records)
    if any("\udc80" <= letter <= "\udcff" for _, value in found for letter in value):
        found.insert(0, ("hdrcharset", "BINARY"))
    return found


def _pax_record(key: bytes, value: bytes) -> bytes:
    """`<length> <key>=<value>` and a newline; the length includes its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def padding(size: int) -> bytes:
    """The zero bytes that pad `size` bytes of content to a whole block."""
    return b"\0" * (-size % BLOCK)


def read(content: Union[bytes, Slice]) -> Iterable[bytes]:
    """Yields the bytes of a member's content, in pieces of at most COPY_SIZE bytes."""
    if isinstance(content, bytes):
        yield content
        return
    left = content.size
    with open(content.path, "rb") as source:
        source.seek(content.offset)
        while left:
            piece = source.read(min(COPY_SIZE, left))
            if not piece:
                raise TarError(f"{content.path} is {left} bytes shorter than expected")
            left -= len(piece)
            yield piece


def _same(one: Member, other: Member) -> bool:
    if (one.link, one.directory) != (other.link, other.directory):
        return False
    if one.directory or one.link is not None:
        return one.mode == other.mode or one.link is not None
    if (one.mode, one.size) != (other.mode, other.size):
        return False
    return b"".join(read(one.content)) == b"".join(read(other.content))


def with_directories(members: Iterable[Member]) -> list[Member]:
    """Sorts members by path, drops equal duplicates and adds every missing parent directory.

    Raises TarError for two members that put different things at one path, and for a member below
    a path that is a file or a link.
    """
    by_path: dict[str, Member] = {}
    for member in members:
        check_member(member)
        known = by_path.setdefault(member.path, member)
        if known is not member and not _same(known, member):
            raise TarError(
                f"{known.owner} and {member.owner} both have /{member.path}, with different content"
            )
    directories: dict[str, Member] = {}
    for member in by_path.values():
        name = member.path
        # Upwards to the first known directory: all above it are also known, or will be when it is
        # processed itself. So a path of N steps costs N, however many paths are below it.
        while (name := name.rpartition("/")[0]) and name not in directories:
            above = by_path.get(name)
            if above is None:
                directories[name] = Member(name, mode=DIRECTORY_MODE, directory=True)
            elif above.directory:
                break
            else:
                raise TarError(
                    f"{member.owner} has /{member.path}, but {above.owner} has a file at /{name}"
                )
    return sorted([*by_path.values(), *directories.values()], key=_sort_key)


def _sort_key(member: Member) -> list[str]:
    return member.path.split("/")


def write_tar(members: Iterable[Member], out: BinaryIO) -> TarInfo:
    """Writes the members, with their parent directories, as one tar, and describes it.

    Raises TarError as `with_directories` does, before a byte is written.
    """
    ordered = with_directories(members)
    writer = HashingWriter(out)
    for member in ordered:
        for piece in entry(member):
            writer.write(piece)
    writer.write(END_OF_ARCHIVE)
    return writer.info()


def entry(member: Member) -> Iterable[bytes]:
    """Yields the bytes of a member in a tar: header, content and padding."""
    yield header(member)
    if not member.directory and member.link is None:
        yield from read(member.content)
        yield padding(member.size)


class HashingWriter:
    """Passes bytes on to `out`, and computes their number and sha256."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._sha256.update(data)
        self.size += len(data)

    def info(self) -> TarInfo:
        return TarInfo(f"sha256:{self._sha256.hexdigest()}", self.size)


def parents(paths: Mapping[str, object]) -> list[str]:
    """All directories above the given paths, sorted."""
    found = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return sorted(found - {"."}, key=lambda path: path.split("/"))
