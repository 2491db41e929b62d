"""Reads files in untrusted zip archives, whatever sizes and names these claim."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from typing import Iterator

from inseam.formats.foreign_text import foreign_word
from inseam.formats.tar import COPY_SIZE

# The errors that `zipfile` and its decompressors raise for files that are not zip archives.
DAMAGED = (
    *(EOFError, LookupError, NotImplementedError, OSError, RuntimeError, ValueError),
    *(lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error),
)
LARGEST = 32 << 20
"""Largest file in bytes that is read in one piece."""


def files_in(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The members that are not folders; raises BadZipFile for one without a name."""
    for info in archive.infolist():
        if not info.filename:
            raise zipfile.BadZipFile("it has a file without a name")
        if not info.is_dir():
            yield info


class ZipStream:
    """Reads a member in pieces of any size, or in one piece if it has at most LARGEST bytes."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        """info: that of the member to read. Raises what `zipfile` raises for a damaged member."""
        self.size = info.file_size
        """Size in bytes according to the archive."""
        self._name = info.filename
        # With bzip2 and lzma, `zipfile` unpacks all that it reads: a kilobyte can become a gigabyte
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NotImplementedError(
                f"{foreign_word(self._name, width=200)} in it is compressed by the method"
                f" {info.compress_type}, but only stored and deflated files are read"
            )
        self._file = archive.open(info)

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, possibly fewer even before the end; -1 reads the rest.

        Raises ValueError if the file is too large to be read in one piece.
        """
        if size >= 0:
            return self._file.read(min(size, COPY_SIZE))
        pieces, read = [], 0
        while piece := self._file.read(COPY_SIZE):
            read += len(piece)
            if read > LARGEST:
                raise ValueError(
                    f"{foreign_word(self._name, width=200)} has more than {LARGEST} bytes"
                )
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Stops reading."""
        self._file.close()


def read_file(archive: zipfile.ZipFile, name: str | zipfile.ZipInfo) -> bytes:
    """The content of a member; raises KeyError if it does not exist, ValueError if it is larger
    than LARGEST, and what `zipfile` raises if it is damaged.
    """
    stream = ZipStream(archive, archive.getinfo(name) if isinstance(name, str) else name)
    try:
        return stream.read()
    finally:
        stream.close()
