"""Opens foreign tars, so that no member of one takes more memory or time than it may."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Iterator, cast

from inseam.formats.foreign_text import foreign_word
from inseam.formats.tar import COPY_SIZE

_KINDS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
# A header says how long a name is, and `tarfile` reads as much at once.
_LONGEST_READ = 1 << 20

# What `tarfile` and what it reads from raise for a file that is not a tar.
UNREADABLE = (
    *(EOFError, OSError, OverflowError, UnicodeError, ValueError),
    *(lzma.LZMAError, tarfile.TarError, zlib.error),
)


class _Bounded:
    """Passes on what is read of a file, up to so many bytes in all, few at once, and none twice: a
    member of a negative size would lead back to itself."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise ValueError(f"a header of it has {size} bytes")
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

    size: bytes that it may have without the compression. Raises one of UNREADABLE for what is not a
    tar; so do its members.
    """
    with open(path, "rb") as file:
        start = file.read(6)
    opener = next((opener for magic, opener in _KINDS if start.startswith(magic)), open)
    with opener(path, "rb") as stream, bounded_tar(cast("IO[bytes]", stream), size) as tar:
        yield tar


@contextmanager
def bounded_tar(stream: IO[bytes], size: int) -> Iterator[tarfile.TarFile]:
    """The same for what is read from a stream."""
    bounded = _Bounded(stream, size)
    with tarfile.TarFile(fileobj=cast("IO[bytes]", bounded)) as tar:
        yield tar


def content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """The content of the member that was read last.

    Raises one of UNREADABLE if it is cut off, or sparse: then its size has no bound.
    """
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


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of a tar, one after the other; `tarfile` would keep them all."""
    for member in tar:
        tar.members = []  # type: ignore[attr-defined]
        yield member
