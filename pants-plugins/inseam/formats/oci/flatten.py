"""Reads files from the layers of a base image, as a container would see them."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.untar import UNREADABLE, content, members, opened_tar

_LONGEST_PATH = 4096  # PATH_MAX
# Largest unpacked layer in bytes. CUDA has the largest ones, of about 10 GB.
_LARGEST = 1 << 36
_MOST_READ = 1 << 30  # total bytes of all files that are read from an image
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"

Wanted = Callable[[str], int]
"""The maximum size in bytes of a file at a path; NOT_WANTED if the file is not needed.

Larger files are left out.
"""
NOT_WANTED = -1


def member_path(name: str) -> str:
    """The path of a tar's member, relative to the root; raises ValueError for a path that cannot
    exist in a container.
    """
    if len(name) > _LONGEST_PATH:
        raise ValueError(f"it has a path of {len(name)} characters")
    return name.removeprefix("./").strip("/")


def removed(path: str) -> str | None:
    """The path that a layer removes, with everything below it, if the file at `path` is a whiteout
    (OCI image-spec, layer.md). A slash at its end means that the folder itself stays.
    """
    folder, name = posixpath.split(path)
    if name == _OPAQUE:
        return f"{folder}/" if folder else ""
    return posixpath.join(folder, name[len(_WHITEOUT) :]) if name.startswith(_WHITEOUT) else None


def is_removed(path: str, by: Collection[str]) -> bool:
    """Whether `path` is removed by one of the results of `removed`: itself or with a parent."""
    if not by:
        return False
    above = path
    while above:
        if above in by:
            return True
        above = above.rpartition("/")[0]
        if f"{above}/" in by:
            return True
    return "" in by


def _check_read(size: int) -> None:
    if size > _MOST_READ:
        raise Failure(
            f"the base has more than {_MOST_READ} bytes of files that may belong to its CPython."
            ' Choose a smaller base, or set [inseam].build_python = "installed".'
        )


@contextmanager
def opened_layer(blob: Path, what: str) -> Iterator[tarfile.TarFile]:
    """Opens the tar of a layer, which may be compressed with gzip; raises Failure, naming `what`,
    if it is damaged."""
    try:
        with opened_tar(blob, _LARGEST) as tar:
            yield tar
    except UNREADABLE as error:
        raise Failure(f"{what} cannot be read: {foreign_word(str(error))[1:-1]}") from error


def read_files(blobs: Iterable[Path], wanted: Wanted) -> dict[str, bytes]:
    """The regular files at the wanted paths, in the layers with these blobs, lowest first.

    Raises Failure for a layer that is damaged, and if there is too much to read.
    """
    return read_entries(blobs, wanted)[0]


def _linked(blob: Path, wanted: Mapping[str, int], read: int) -> dict[str, bytes]:
    """The targets of hard links in a layer, by path.

    wanted: their maximum size in bytes. read: the number of bytes that were already read.
    """
    found: dict[str, bytes] = {}
    if wanted:
        with opened_layer(blob, f"a layer of the base, {blob.name},") as tar:
            for member in members(tar):
                path = member_path(member.name)
                if member.isreg() and member.size <= wanted.get(path, NOT_WANTED):
                    read += member.size
                    _check_read(read)
                    found[path] = content(tar, member)
    return found


def read_entries(blobs: Iterable[Path], wanted: Wanted) -> tuple[dict[str, bytes], dict[str, str]]:
    """What `read_files` returns, and all symbolic links: their targets by path."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    read = 0
    for blob in blobs:
        new_files: dict[str, bytes] = {}
        new_links: dict[str, str] = {}
        hard_links: dict[str, str] = {}
        by: set[str] = set()
        with opened_layer(blob, f"a layer of the base, {blob.name},") as tar:
            for member in members(tar):
                path = member_path(member.name)
                gone = removed(path)
                if gone is not None:
                    by.add(gone)
                    continue
                links.pop(path, None)
                if member.isdir():
                    continue
                files.pop(path, None)
                if member.issym():
                    new_links[path] = member.linkname
                elif member.isreg() and member.size <= wanted(path):
                    read += member.size
                    _check_read(read)
                    new_files[path] = content(tar, member)
                elif member.islnk() and wanted(path) > NOT_WANTED:
                    hard_links[path] = member_path(member.linkname)
        targets = {
            target: wanted(path) for path, target in hard_links.items() if target not in new_files
        }
        linked = _linked(blob, targets, read)
        read += sum(map(len, linked.values()))
        for path, target in hard_links.items():
            if target in linked or target in new_files:
                new_files[path] = linked.get(target) or new_files.get(target, b"")
        # Whiteouts only affect lower layers, whatever the order of a layer's members.
        files = {path: data for path, data in files.items() if not is_removed(path, by)}
        links = {path: link for path, link in links.items() if not is_removed(path, by)}
        files.update(new_files)
        links.update(new_links)
    return files, links
