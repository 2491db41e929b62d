"""Reads files out of the layers of a foreign image, as a container sees them."""

from __future__ import annotations

import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inseam.formats.failure import Failure

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


def member_path(name: str) -> str:
    """The path of a tar's member, relative to the root."""
    return name.removeprefix("./").strip("/")


def removed(path: str) -> str | None:
    """What a layer removes by the file at `path`, with all below it, if it is a whiteout (OCI
    image-spec, layer.md): a path, or a folder's with a slash at its end if that stays."""
    folder, name = posixpath.split(path)
    if name == _OPAQUE:
        return f"{folder}/" if folder else ""
    return posixpath.join(folder, name[len(_WHITEOUT) :]) if name.startswith(_WHITEOUT) else None


def is_removed(path: str, by: str) -> bool:
    """Whether `path` goes by what `removed` returned."""
    return path == by or path.startswith(by if by.endswith("/") or not by else f"{by}/")


@contextmanager
def opened_layer(blob: Path, what: str) -> Iterator[tarfile.TarFile]:
    """Opens the tar of a layer, which may be compressed with gzip; raises Failure, naming `what`,
    if it is damaged."""
    try:
        with tarfile.open(blob) as tar:
            yield tar
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise Failure(f"{what} cannot be read: {error}") from error


def read_files(blobs: Iterable[Path], wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The regular files at the paths that are wanted, in the layers with these blobs, lowest first.

    Raises Failure for a layer that is damaged.
    """
    found: dict[str, bytes] = {}
    for blob in blobs:
        new: dict[str, bytes] = {}
        with opened_layer(blob, f"a layer of the base, {blob.name},") as tar:
            for member in tar:
                path = member_path(member.name)
                gone = removed(path)
                if gone is not None:
                    found = {one: data for one, data in found.items() if not is_removed(one, gone)}
                elif member.isdir():
                    continue
                elif wanted(path):
                    file = tar.extractfile(member) if member.isreg() or member.islnk() else None
                    found.pop(path, None)
                    if file is not None:
                        new[path] = file.read()
                elif path in found:
                    del found[path]
        found.update(new)
    return found
