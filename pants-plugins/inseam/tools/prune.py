"""Removes blobs of a store that no layout has referred to for a while.

What writes an image to the store holds the store's lock together with others, from its look at
which blobs are there until its layout refers to them; pruning holds the lock alone, and does not
wait for it. So no blob goes that is in use. The time counts from when a blob was first
seen without a layout, which is kept in the store, and not from when it was written: what a running
push reads stays, although the next build has replaced its layout.
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

# Seconds between two looks at all layouts, and how much one of them does at most.
_PAUSE = 3600
_MOST_FOLDERS = 20_000
_MOST_REMOVED = 1_000
# Manifests and indexes of one layout.
_MOST_DOCUMENTS = 1_000

_UNUSED = "unused.json"
# The paths of layouts that are not in the folder that the store is in.
_ELSEWHERE = "elsewhere.json"


class Pruned(NamedTuple):
    """How many blobs were removed, and their size in bytes."""

    blobs: int
    size: int


@contextmanager
def using(store: Path) -> Iterator[None]:
    """Holds the lock of a store, which is made if it is not there, together with others that use
    its blobs."""
    claim(store)
    with locked(store, fcntl.LOCK_SH):
        yield


def remember(store: Path, layout: Path) -> None:
    """Lets `prune` know of a layout that is not in the folder that the store is in."""
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
    """The paths in the list; raises Failure if it is damaged."""
    path = store / _ELSEWHERE
    found = read_json(path) if os.path.lexists(path) else []
    if not list_of(is_string)(found):
        raise Failure(f"{path} is damaged: it is not a list of paths. Remove it.")
    paths: list[str] = found
    return paths


def prune(store: Path, after: float, now: float | None = None) -> Pruned:
    """Removes the blobs that no layout has referred to for `after` seconds.

    Looks for layouts in the folder that the store is in, at most once an hour. Only files whose
    names are digests are removed, and only out of a store of ours. Removes nothing if the store is
    in use, or if a layout cannot be read.
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
    """blobs: descriptor of the folder of the blobs."""
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
    """Since when each blob is known to be unused; what cannot be read counts as not known."""
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
    """The layouts in the folder that the store is in; raises Failure if that is too large."""
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
    """The digests of all blobs of the images in a layout; raises Failure for one that cannot be
    read, or that refers to more documents than an image has."""
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
    """What an image index or a manifest refers to (OCI image-spec 1.1)."""
    yield from document.tables("manifests", "a list of descriptors")
    yield from document.tables("layers", "a list of descriptors")
    if document.has("config"):
        yield document.table("config")
