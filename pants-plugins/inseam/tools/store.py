"""Writes images to a store of blobs that all images of a repository share.

Missing blobs are copied to `blobs/sha256` in the store. A layout is the OCI image layout of one
image, whose `blobs` is a link to the store's. However a run ends, each blob is complete or absent,
and a layout has either its old or its new content. Several exports may run at once.

A blob that was checked has a mark in its modification time, which any change removes. A blob
without the mark is checked against its digest before it counts as present, so damaged blobs are
replaced.

`prune` removes blobs to which no layout refers any more, but never during an export.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Iterable, Mapping, Sequence

from inseam.formats.failure import Failure, no_space
from inseam.formats.files import temporary_name, write_whole
from inseam.formats.oci.descriptor import BLOBS, blob_path
from inseam.formats.oci.documents import referrers
from inseam.formats.oci.layout import INDEX, LAYOUT, LAYOUT_TEXT
from inseam.formats.oci.metadata import METADATA, ImageMetadata, load_metadata, read_metadata
from inseam.formats.tar import COPY_SIZE
from inseam.tools.own import check_no_links, claim, make_way
from inseam.tools.prune import remember, using

_TURN = threading.Lock()
_TEMPORARY = re.compile(
    r"\..+\.(\d+)\.[0-9a-f]{16}"
)  # the names that `files.temporary_name` returns
_SECOND = 1_000_000_000  # in nanoseconds


def blobs_of(image: ImageMetadata) -> dict[str, int | None]:
    """Digest and size of every blob of an image; the size of a configuration is unknown."""
    found: dict[str, int | None] = {image.digest: image.size}
    for inner in image.images:
        found.update(blobs_of(inner))
    if image.config_digest:
        found[image.config_digest] = None
    for layer in image.layers:
        found[layer.descriptor.digest] = layer.descriptor.size
    for entry in image.documents:
        found.update(entry.blobs)
    if any(entry.attachment for entry in image.documents):
        listed = referrers(image.documents)
        found[listed.digest] = listed.size
    return found


def missing(store: Path, blobs: Iterable[tuple[str, int | None]]) -> list[str]:
    """The digests of the blobs that are missing from the store or were changed since."""
    return [digest for digest, size in blobs if not _has(store, digest, size)]


def _has(store: Path, digest: str, size: int | None) -> bool:
    path = blob_path(store, digest)
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or (size is not None and found.st_size != size):
            return False
        if found.st_mtime_ns % _SECOND == _mark(digest):
            return True
        if _digest(path) != digest:
            return False
    except OSError:
        return False
    _set_mark(path, digest, found.st_mtime_ns)
    return True


def unmark_damaged(store: Path, digests: Iterable[str]) -> list[str]:
    """The digests of marked blobs that are damaged, by a disk or by a writer that preserved the
    modification time; removes their marks.
    """
    damaged = []
    for digest in digests:
        path = blob_path(store, digest)
        with suppress(OSError):
            known = path.lstat()
            time_ns = known.st_mtime_ns
            if stat.S_ISREG(known.st_mode) and _digest(path) != digest:
                damaged.append(digest)
                _set_time(path, time_ns - time_ns % _SECOND + (_mark(digest) + 1) % _SECOND)
    return damaged


def _digest(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as blob:
        for data in iter(lambda: blob.read(COPY_SIZE), b""):
            hashed.update(data)
    return f"sha256:{hashed.hexdigest()}"


def _mark(digest: str) -> int:
    """The fraction of a second, in nanoseconds, of the modification time of a checked blob."""
    return int(digest.rpartition(":")[2][:14], 16) % _SECOND


def _set_mark(path: Path, digest: str, time_ns: int) -> None:
    _set_time(path, time_ns - time_ns % _SECOND + _mark(digest))


def _set_time(path: Path, time_ns: int) -> None:
    # If the time cannot be set or stored, the blob is checked each time.
    with suppress(OSError):
        os.utime(path, ns=(time_ns, time_ns))


class _Folders:
    """The files to export, in folders; the first folder is the image's."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def document(self, name: str) -> bytes | None:
        path = self._folders[0] / name
        return path.read_bytes() if path.is_file() else None

    def blob(self, digest: str) -> BinaryIO | None:
        for folder in self._folders:
            path = blob_path(folder, digest)
            if path.is_file():
                return path.open("rb")
        return None


class _Contents:
    """The files to export, in memory, by path in the image's folder."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def document(self, name: str) -> bytes | None:
        return self._files.get(name)

    def blob(self, digest: str) -> BinaryIO | None:
        content = self._files.get(blob_path(Path(), digest).as_posix())
        return BytesIO(content) if content is not None else None


def export(image: Path, folders: Sequence[Path], store: Path, layout: Path) -> list[str]:
    """Writes the image in the folder `image` to the store; returns the digests that were copied.

    folders: contain its other blobs, below `blobs/sha256`. layout: the folder that becomes its
    layout.

    Raises Failure for a missing or damaged blob, and if the disk is full.
    """
    return _export(read_metadata(image), _Folders([image, *folders]), store, layout)


def export_contents(files: Mapping[str, bytes], store: Path, layout: Path) -> list[str]:
    """Does the same as `export` for an image whose other blobs are already in the store.

    files: the files in the image's folder: contents by path. Writing the few kilobytes of an edit
    needs no process. Threads take turns: if the inputs of a rule change while it writes, the rule
    is rerun before it has ended, and the newer content must be written last.
    """
    metadata = load_metadata(files[METADATA])
    with _TURN:
        return _export(metadata, _Contents(files), store, layout)


def _export(
    image: ImageMetadata, inputs: _Folders | _Contents, store: Path, layout: Path
) -> list[str]:
    wanted = blobs_of(image)
    copied = []
    try:
        claim(store)
        for folder in (store / BLOBS, layout):
            check_no_links(folder, store.parent)
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (store, store / BLOBS, *_folders_of(image, layout)):
            _remove_leftovers(folder)
        with using(store):
            for digest in missing(store, wanted.items()):
                source = inputs.blob(digest)
                if source is None:
                    raise Failure(
                        f"{image.target}: the blob {digest} ({_role(image, digest)}) is neither in"
                        f" {store} nor among the inputs. Package the image again."
                    )
                with source:
                    _copy(source, blob_path(store, digest), digest, image.target)
                copied.append(digest)
            _write_layout(image, inputs, store, layout)
            remember(store, layout)
    except OSError as error:
        if no_space(error):
            raise Failure(
                f"{image.target}: not enough space for the image in {store} ({error.strerror}). It"
                f" needs {_megabytes(wanted.values())} MB. Free some space and run the same"
                " command again."
            ) from error
        raise Failure(
            f"{image.target}: the image cannot be written: {error.filename or layout}:"
            f" {error.strerror}. Check that {store.parent} belongs to you and is writable, or"
            " remove it."
        ) from error
    return copied


def _megabytes(sizes: Iterable[int | None]) -> int:
    return sum(size or 0 for size in sizes) // 1_000_000 + 1


def _role(image: ImageMetadata, digest: str) -> str:
    for one in (image, *image.images):
        for entry in one.documents:
            if digest in entry.blobs:
                return f"the attachment {entry.path or entry.media_type}"
        for layer in one.layers:
            if layer.descriptor.digest == digest:
                return f"the layer {layer.name!r}"
        if digest == one.config_digest:
            return "its configuration"
    return "its manifest"


def _folders_of(image: ImageMetadata, layout: Path) -> set[Path]:
    """The folders in a layout that contain files of the image, except its blobs."""
    documents = (entry.path for entry in image.every_document if entry.path)
    return {layout, *(layout.joinpath(path).parent for path in documents)}


def _remove_leftovers(folder: Path) -> None:
    """Removes files that a killed run left behind."""
    for path in folder.glob(".*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and not folder.is_symlink() and not _runs(int(match[1])):
            path.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _copy(source: BinaryIO, target: Path, digest: str, owner: str) -> None:
    temporary = temporary_name(target)
    sha256 = hashlib.sha256()
    try:
        with temporary.open("xb") as writing:
            for data in iter(lambda: source.read(COPY_SIZE), b""):
                sha256.update(data)
                writing.write(data)
            writing.flush()
            os.fsync(writing.fileno())
        if f"sha256:{sha256.hexdigest()}" != digest:
            raise Failure(
                f"{owner}: the blob {digest} is damaged: its content has the digest"
                f" sha256:{sha256.hexdigest()}. Build it again without Pants' caches: add"
                " --no-local-cache --no-remote-cache-read."
            )
        _set_mark(temporary, digest, temporary.stat().st_mtime_ns)
        make_way(target)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_layout(
    image: ImageMetadata, inputs: _Folders | _Contents, store: Path, layout: Path
) -> None:
    """Writes the small files. The index, which refers to the others, is written last."""
    _link(layout / "blobs", os.path.relpath(store / "blobs", layout))
    documents = {entry.path for entry in image.every_document if entry.path}
    for path in sorted(_documents_there(layout) - documents):
        if not (layout / path).is_dir():
            (layout / path).unlink(missing_ok=True)
    _update(layout / LAYOUT, LAYOUT_TEXT)
    for name in (*sorted(documents), METADATA, INDEX):
        content = inputs.document(name)
        if content is None:
            raise Failure(f"{image.target}: {name} is not among the inputs. Package it again.")
        check_no_links((layout / name).parent, store.parent)
        (layout / name).parent.mkdir(exist_ok=True)
        _update(layout / name, content)


def _documents_there(layout: Path) -> set[str]:
    """The documents that a layout already has."""
    try:
        found = {entry.path for entry in read_metadata(layout).every_document}
    except Failure:
        found = set()
    return {path for path in found if path and not (layout / path).parent.is_symlink()}


def _link(path: Path, target: str) -> None:
    if path.is_symlink() and os.readlink(path) == target:
        return
    make_way(path)
    temporary = temporary_name(path)
    temporary.symlink_to(target)
    try:
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _update(path: Path, content: bytes) -> None:
    """Writes a file unless it already has that content."""
    if path.is_symlink() or not path.is_file() or path.read_bytes() != content:
        make_way(path)
        write_whole(path, content, durable=True)
