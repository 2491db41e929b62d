"""Compresses a layer to bytes that depend on nothing but the layer, the format and the level.

Usage: python programs compress --tar TAR --out OUT [--name NAME] [--format gzip|zstd] [--level N]
                                [--diff-id DIGEST]

Writes the blob OUT/blobs/sha256/<hex of its sha256> and OUT/descriptor.json (`LayerBlob`). NAME is
that of the layer, without it the tar's. With --diff-id a tar of another digest is refused.

The compressors come with the distributions `deflate` (libdeflate) and `zstandard` (libzstd), so
the zlib of the machine or of its Python has no say.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Callable

from inseam.sandbox.command import Failure
from inseam.sandbox.descriptor import (
    BLOBS,
    DESCRIPTOR,
    GZIP_LAYER,
    ZSTD_LAYER,
    LayerBlob,
    blob_path,
    write_layer,
)
from inseam.sandbox.tar import COPY_SIZE

MEDIA_TYPES = {"gzip": GZIP_LAYER, "zstd": ZSTD_LAYER}
# Measured on wheels with native code and on a Debian root filesystem. gzip 6: the size of zlib's
# level 6 in a fifth to a third of its time. zstd 3: 4 to 8 % smaller still.
LEVELS = {"gzip": 6, "zstd": 3}
HIGHEST = {"gzip": 12, "zstd": 19}

# Each chunk becomes a gzip member of its own (RFC 1952, 2.2), which bounds the memory. The size is
# part of the result: another one gives other bytes. It costs 0.02 % against a single member.
CHUNK = 8 << 20


def _gzip(level: int) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    try:
        gzip_compress = import_module("deflate").gzip_compress
    except ImportError as error:
        raise _missing("deflate", error) from None
    # libdeflate's header has no name and the time 0; its flags depend on the level only.
    return lambda chunk: bytes(gzip_compress(chunk, level)), lambda: b""


def _zstd(level: int) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    try:
        zstd_compressor = import_module("zstandard").ZstdCompressor
    except ImportError as error:
        raise _missing("zstandard", error) from None
    # One frame by one thread; as it is streamed, it does not say how long its content is.
    frame = zstd_compressor(
        level=level, threads=0, write_checksum=True, write_content_size=False
    ).compressobj()
    return frame.compress, frame.flush


def _missing(distribution: str, error: ImportError) -> Failure:
    return Failure(
        f"The compressor cannot be loaded ({error}). It is the distribution {distribution!r}, for"
        f" CPython {sys.version_info[0]}.{sys.version_info[1]} on this machine, and must lie beside"
        " the programs."
    )


class Compressor:
    """Compresses what is written to it, to `out`, which is called with bytes.

    format, level: None stands for the format's default. What is written up to `end` is one or more
    gzip members, or one zstd frame; several of them, one after the other, are valid again (RFC
    1952, 2.2; RFC 8878, 3.1).
    """

    def __init__(
        self, out: Callable[[bytes], object], format: str = "gzip", level: int | None = None
    ) -> None:
        level = LEVELS[format] if level is None else level
        if not 1 <= level <= HIGHEST[format]:
            raise Failure(f"{format} has the levels 1 to {HIGHEST[format]}, not {level}.")
        self._compress, self._flush = _gzip(level) if format == "gzip" else _zstd(level)
        self._out = out
        self._chunk = bytearray()
        self._written = False

    def write(self, data: bytes) -> int:
        """Takes the next bytes."""
        view = memoryview(data)
        while view:
            taken = CHUNK - len(self._chunk)
            self._chunk += view[:taken]
            view = view[taken:]
            if len(self._chunk) == CHUNK:
                self._end_chunk()
        return len(data)

    def _end_chunk(self) -> None:
        self._out(self._compress(self._chunk))
        self._chunk.clear()
        self._written = True

    def end(self) -> None:
        """Writes what is left."""
        if self._chunk or not self._written:
            self._end_chunk()
        self._out(self._flush())


class LayerWriter:
    """Compresses the tar that is written to it, to a blob below the folder `out`.

    A context manager: when the block ends well the blob appears under the name of its digest and
    `layer` describes it; otherwise nothing remains.

    name: of the layer. format, level: as of Compressor. diff_id: what the tar's digest must be, if
    that is known; the block's end raises Failure for another.
    """

    def __init__(
        self,
        name: str,
        out: Path,
        *,
        format: str = "gzip",
        level: int | None = None,
        diff_id: str | None = None,
    ) -> None:
        self._compressor = Compressor(self._out, format, level)
        self._name = name
        self._media_type = MEDIA_TYPES[format]
        self._wanted = diff_id
        self._folder = out
        self._tar, self._blob = hashlib.sha256(), hashlib.sha256()
        self._tar_size = self._blob_size = 0
        self._layer: LayerBlob | None = None

    @property
    def layer(self) -> LayerBlob:
        """The finished layer."""
        assert self._layer is not None, "the block has not ended"
        return self._layer

    def __enter__(self) -> LayerWriter:
        blobs = self._folder / BLOBS
        blobs.mkdir(parents=True, exist_ok=True)
        self._temporary = blobs / f".{self._name.replace('/', '_')}.{os.getpid()}"
        self._file: BinaryIO = self._temporary.open("wb")
        return self

    def write(self, data: bytes) -> int:
        """Takes the next bytes of the tar."""
        self._tar.update(data)
        self._tar_size += len(data)
        return self._compressor.write(data)

    def _out(self, data: bytes) -> None:
        self._file.write(data)
        self._blob.update(data)
        self._blob_size += len(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                if kind is None:
                    self._compressor.end()
            if kind is None:
                self._layer = self._finish()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> LayerBlob:
        diff_id = f"sha256:{self._tar.hexdigest()}"
        if self._wanted not in (None, diff_id):
            raise Failure(
                f"The layer {self._name!r} is damaged: its tar has the digest {diff_id}, but"
                f" {self._wanted} is wanted. Make it again, without what Pants has cached:"
                " --no-local-cache --no-remote-cache-read."
            )
        digest = f"sha256:{self._blob.hexdigest()}"
        os.replace(self._temporary, blob_path(self._folder, digest))
        return LayerBlob(
            self._name, self._media_type, digest, self._blob_size, diff_id, self._tar_size
        )


def compress(
    tar: Path,
    out: Path,
    *,
    name: str | None = None,
    format: str = "gzip",
    level: int | None = None,
    diff_id: str | None = None,
) -> LayerBlob:
    """Compresses the file `tar` to a blob and its `descriptor.json` below the folder `out`.

    The rest is as for `LayerWriter`. Raises Failure for a tar that cannot be read.
    """
    try:
        source = tar.open("rb")
    except OSError as error:
        raise Failure(f"The layer {tar} cannot be read: {error.strerror}") from None
    writer = LayerWriter(name or tar.stem, out, format=format, level=level, diff_id=diff_id)
    with source, writer:
        for data in iter(lambda: source.read(COPY_SIZE), b""):
            writer.write(data)
    write_layer(writer.layer, out / DESCRIPTOR)
    return writer.layer


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="compress", description=__doc__)
    parser.add_argument("--tar", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--name")
    parser.add_argument("--format", choices=sorted(MEDIA_TYPES), default="gzip")
    parser.add_argument("--level", type=int)
    parser.add_argument("--diff-id")
    options = parser.parse_args(argv)
    compress(
        options.tar,
        options.out,
        name=options.name,
        format=options.format,
        level=options.level,
        diff_id=options.diff_id,
    )
