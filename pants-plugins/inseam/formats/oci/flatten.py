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
    return read_entries(blobs, wanted)[0]


def read_entries(
    blobs: Iterable[Path], wanted: Callable[[str], bool]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """What `read_files` returns, and all symbolic links: their targets by path."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for blob in blobs:
        new_files: dict[str, bytes] = {}
        new_links: dict[str, str] = {}
        with opened_layer(blob, f"a layer of the base, {blob.name},") as tar:
            for member in tar:
                path = member_path(member.name)
                gone = removed(path)
                if gone is not None:
                    files = {one: data for one, data in files.items() if not is_removed(one, gone)}
                    links = {one: link for one, link in links.items() if not is_removed(one, gone)}
                    continue
                links.pop(path, None)
                if member.isdir():
                    continue
                files.pop(path, None)
                if member.issym():
                    new_links[path] = member.linkname
                elif wanted(path):
                    file = tar.extractfile(member) if member.isreg() or member.islnk() else None
                    if file is not None:
                        new_files[path] = file.read()
        files.update(new_files)
        links.update(new_links)
    return files, links
