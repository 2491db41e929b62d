"""Removes blobs of a store that no layout has referred to for a while.

Writing an image holds a shared lock of the store, from checking which blobs exist until the layout
refers to them. Pruning holds the lock exclusively, and does not wait for it. So no blob that is in
use is removed. The time counts from when a blob was first seen without a layout, which the store
records, not from when it was written: so the blobs that a running push reads stay, even if the next
build has replaced its layout.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.files import read_json, write_whole
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.layout import INDEX
from inseam.formats.schema import Entry, is_digest, is_string, list_of
from inseam.tools.own import claim, is_ours, locked, make_way, opened_blobs

# Seconds between two searches for layouts, and limits for one search.
_PAUSE = 3600
_MOST_FOLDERS = 20_000
_MOST_REMOVED = 1_000
# Maximum number of manifests and indexes in one layout.
_MOST_DOCUMENTS = 1_000

_UNUSED = "unused.json"
# The file with the paths of layouts outside the store's parent folder.
_ELSEWHERE = "elsewhere.json"


class Pruned(NamedTuple):
    """How many blobs were removed, and their size in bytes."""

    blobs: int
    size: int


@contextmanager
def using(store: Path) -> Iterator[None]:
    """Holds the shared lock of a store, for users of its blobs. The store is created if it does not
    exist.
    """
    claim(store)
    with locked(store, fcntl.LOCK_SH):
        yield


def remember(store: Path, layout: Path) -> None:
    """Tells `prune` about a layout outside the store's parent folder."""
    if store.parent in layout.parents:
        return
    try:
        known = _elsewhere(store)
    except Failure:
        known = []  # It is written again.
    if str(layout) not in known:
        make_way(store / _ELSEWHERE)
        write_whole(store / _ELSEWHERE, json.dumps([*known, str(layout)]).encode())


def _elsewhere(store: Path) -> list[str]:
    """The recorded paths; raises Failure if the list is damaged."""
    path = store / _ELSEWHERE
    found = read_json(path) if os.path.lexists(path) else []
    if not list_of(is_string)(found):
        raise Failure(f"{path} is damaged: it is not a list of paths. Remove it.")
    paths: list[str] = found
    return paths


def prune(store: Path, after: float, now: float | None = None) -> Pruned:
    """Removes the blobs that no layout has referred to for `after` seconds.

    Searches the store's parent folder for layouts, at most once an hour. Only files whose names are
    digests are removed, and only from a store of ours. Removes nothing if the store is in use, or
    if a layout cannot be read.
    """
    now = time.time() if now is None else now
    unused = store / _UNUSED
    try:
        if not is_ours(store) or _is_new(unused, now):
            return Pruned(0, 0)
        with opened_blobs(store) as blobs, locked(store, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return _prune(store, blobs, after, now)
    except (OSError, Failure):
        # The store is in use or unreadable: skip pruning.
        return Pruned(0, 0)


def _is_new(path: Path, now: float) -> bool:
    return os.path.lexists(path) and 0 <= now - path.lstat().st_mtime < _PAUSE


def _prune(store: Path, blobs: int, after: float, now: float) -> Pruned:
    """blobs: file descriptor of the folder with the blobs."""
    used = {
        digest for layout in [*_layouts(store), *_others(store)] for digest in _blobs(store, layout)
    }
    before = _known(store / _UNUSED)
    with os.scandir(blobs) as entries:
        sizes = {
            entry.name: entry.stat(follow_symlinks=False).st_size
            for entry in entries
            if is_digest(f"sha256:{entry.name}") and entry.is_file(follow_symlinks=False)
        }
    since = {name: before.get(name, now) for name in sizes if f"sha256:{name}" not in used}
    oldest = sorted(since, key=lambda name: (since[name], name))[:_MOST_REMOVED]
    removed = [name for name in oldest if now - since[name] >= after]
    for name in removed:
        os.unlink(name, dir_fd=blobs)
        del since[name]
    make_way(store / _UNUSED)
    write_whole(store / _UNUSED, json.dumps(since, indent=2, sort_keys=True).encode())
    os.utime(store / _UNUSED, (now, now))
    return Pruned(len(removed), sum(sizes[name] for name in removed))


def _known(unused: Path) -> dict[str, float]:
    """When each blob was first seen unused; unreadable entries are ignored."""
    try:
        found = read_json(unused)
    except Failure:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: float(time)
        for name, time in found.items()
        if isinstance(time, (int, float)) and not isinstance(time, bool)
    }


def _layouts(store: Path) -> Iterator[Path]:
    """The layouts in the store's parent folder; raises Failure if that is too large."""
    folders, seen = [store.parent], 0
    while folders:
        folder = folders.pop()
        seen += 1
        if seen > _MOST_FOLDERS:
            raise Failure(f"{store.parent} has more than {_MOST_FOLDERS} folders.")
        if _is_layout(folder, store):
            yield folder
            continue
        with os.scandir(folder) as entries:
            folders += [
                Path(entry.path)
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and entry.path != str(store)
            ]


def _others(store: Path) -> list[Path]:
    return [path for path in map(Path, _elsewhere(store)) if _is_layout(path, store)]


def _is_layout(folder: Path, store: Path) -> bool:
    """Whether a folder is a layout whose blobs are those of the store."""
    blobs = folder / "blobs"
    return blobs.is_symlink() and os.path.realpath(blobs) == os.path.realpath(store / "blobs")


def _blobs(store: Path, layout: Path) -> Iterator[str]:
    """The digests of all blobs of the images in a layout; raises Failure if the layout cannot be
    read, or refers to more documents than an image can have.
    """
    index = layout / INDEX
    # A layout without an index comes from an interrupted run: it refers to nothing.
    documents = [Entry.of(read_json(index), str(index))] if os.path.lexists(index) else []
    seen: set[str] = set()
    while documents:
        for descriptor in _descriptors(documents.pop()):
            digest = descriptor.get("digest", is_digest, "a sha256 digest")
            yield digest
            kind = descriptor.optional_text("mediaType", "a media type")
            if digest in seen or not ("manifest" in kind or "index" in kind):
                continue
            seen.add(digest)
            if len(seen) > _MOST_DOCUMENTS:
                raise Failure(f"{layout} refers to more than {_MOST_DOCUMENTS} documents")
            path = blob_path(store, digest)
            documents.append(Entry.of(read_json(path), str(path)))


def _descriptors(document: Entry) -> Iterator[Entry]:
    """The descriptors in an image index or a manifest (OCI image-spec 1.1)."""
    yield from document.tables("manifests", "a list of descriptors")
    yield from document.tables("layers", "a list of descriptors")
    if document.has("config"):
        yield document.table("config")
