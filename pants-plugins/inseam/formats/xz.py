"""Unpacks untrusted xz files in limited memory: the standard library uses as much as a header asks
for, up to 4 GiB.
"""

from __future__ import annotations

import io
import lzma
from typing import IO

LARGEST = 192 << 20
"""Maximum memory in bytes; `xz -9` needs 65 MiB."""
_READ = 1 << 16


class XzFile(io.BufferedIOBase):
    """The content of an xz or lzma file: one or more streams (xz file format, 2).

    Raises LZMAError for a damaged file, and for one that needs more memory than LARGEST; EOFError
    for a truncated one.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._position = 0
        self._stream: lzma.LZMADecompressor | None = _decompressor()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, to: int, whence: int = io.SEEK_SET) -> int:
        """Only forwards: reads and discards the bytes in between."""
        if whence != io.SEEK_SET or to < self._position:
            raise io.UnsupportedOperation("an xz file is read once, from its start")
        while self._position < to and self.read(min(_READ, to - self._position)):
            pass
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Like `read` of other files."""
        pieces = []
        left = size if size is not None and size >= 0 else -1
        while left and (piece := self._piece(left)):
            pieces.append(piece)
            left -= len(piece) if left > 0 else 0
        found = b"".join(pieces)
        self._position += len(found)
        return found

    def _piece(self, most: int) -> bytes:
        """Some bytes, at most `most`; none at the end."""
        while self._stream is not None:
            if self._stream.eof:
                self._stream = self._next()
                continue
            data = b""
            if self._stream.needs_input:
                data, self._rest = self._rest or self._file.read(_READ), b""
                if not data:
                    raise EOFError("it ends in the middle of an xz stream")
            piece = self._stream.decompress(data, most if most >= 0 else _READ)
            if piece:
                return piece
        return b""

    def _next(self) -> lzma.LZMADecompressor | None:
        """The decompressor for the next stream, if there is one."""
        assert self._stream is not None
        rest = self._stream.unused_data
        while not (found := rest.lstrip(b"\0")):
            rest = self._file.read(_READ)
            if not rest:
                return None
        self._rest = found
        return _decompressor()


def _decompressor() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=LARGEST)
