"""Opens untrusted tars, with limits on the memory and time that each member takes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Callable, Iterator, cast

from inseam.formats.foreign_text import foreign_word
from inseam.formats.tar import COPY_SIZE
from inseam.formats.xz import XzFile

_KINDS: tuple[tuple[bytes, Callable[[IO[bytes]], IO[bytes]]], ...] = (
    (b"\x1f\x8b", lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file))),
    (b"BZh", lambda file: cast("IO[bytes]", bz2.BZ2File(file))),
    (b"\xfd7zXZ\0", lambda file: cast("IO[bytes]", XzFile(file))),
)
_MOST_MEMBERS = 1_000_000  # the largest images have about 300,000
# A header says how long a name is, and `tarfile` reads that much at once.
_LONGEST_READ, _LONGEST_HEADERS = 1 << 20, 4 << 20

LARGEST_FILE = 1 << 30
"""Largest member in bytes that is read in one piece."""

# The errors that `tarfile` and its streams raise for a file that is not a tar.
UNREADABLE = (
    *(EOFError, OSError, OverflowError, RecursionError, UnicodeError, ValueError),
    *(lzma.LZMAError, tarfile.TarError, zlib.error),
)


class _Bounded:
    """Passes on reads of a file, up to a total number of bytes, a few at a time, and only forwards:
    a member with a negative size would otherwise lead back to itself.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self.headers: int | None = 0
        """Bytes of the headers before a member, whose limit is lower because `tarfile` keeps them;
        None while its content is read.
        """
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int) -> bytes:
        if self.headers is not None:
            self.headers += size
        if not 0 <= size <= _LONGEST_READ or (self.headers or 0) > _LONGEST_HEADERS:
            raise ValueError(f"a member of it has headers of {max(size, self.headers or 0)} bytes")
        found = self._file.read(size)
        self._check(self.tell())
        return found

    def seek(self, to: int) -> int:
        if to < self.tell():
            raise ValueError("a member of it has a negative size")
        self._check(to)
        return self._file.seek(to)

    def _check(self, end: int) -> None:
        if end > self._size:
            raise ValueError(f"it unpacks to more than {self._size} bytes")


@contextmanager
def opened_tar(path: Path, size: int) -> Iterator[tarfile.TarFile]:
    """Opens a tar, which may be compressed with gzip, bzip2 or xz.

    size: its maximum uncompressed size in bytes. Raises one of UNREADABLE for a file that is not a
    tar, and so does reading its members.
    """
    with open(path, "rb") as file:
        start = file.read(6)
        file.seek(0)
        opener = next((opener for magic, opener in _KINDS if start.startswith(magic)), None)
        if opener is None:
            with bounded_tar(file, size) as tar:
                yield tar
            return
        with opener(file) as stream, bounded_tar(stream, size) as tar:
            yield tar


@contextmanager
def bounded_tar(stream: IO[bytes], size: int) -> Iterator[tarfile.TarFile]:
    """The same for a tar that is read from a stream."""
    bounded = _Bounded(stream, size)
    with tarfile.TarFile(fileobj=cast("IO[bytes]", bounded)) as tar:
        yield tar


def content(tar: tarfile.TarFile, member: tarfile.TarInfo, largest: int = LARGEST_FILE) -> bytes:
    """The content of the member that was read last.

    Raises one of UNREADABLE if it is truncated, larger than `largest` bytes, or sparse, because the
    size of a sparse file has no limit.
    """
    if member.size > largest:
        raise ValueError(f"{foreign_word(member.name)} in it has more than {largest} bytes")
    if member.issparse():
        raise ValueError(f"it has the sparse file {foreign_word(member.name)}")
    file = tar.extractfile(member)
    pieces = []
    while file and (piece := file.read(COPY_SIZE)):
        pieces.append(piece)
    found = b"".join(pieces)
    if len(found) != member.size:
        raise EOFError(f"it ends in the middle of {foreign_word(member.name)}")
    return found


def members(tar: tarfile.TarFile, most: int = _MOST_MEMBERS) -> Iterator[tarfile.TarInfo]:
    """Yields the members of a tar; `tarfile` would keep all of them in memory.

    Raises one of UNREADABLE if there are more than `most`.
    """
    file = cast(_Bounded, tar.fileobj)
    for number, member in enumerate(tar):
        if number >= most:
            raise ValueError(f"it has more than {most} members")
        tar.members = []  # type: ignore[attr-defined]
        tar.pax_headers = {}  # type: ignore[misc]
        file.headers = None
        yield member
        file.headers = 0
