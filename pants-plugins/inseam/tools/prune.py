"""Removes blobs of a store that no layout has referred to for a while.

What writes an image to the store holds the store's lock together with others, from its look at
which blobs are there until its layout refers to them; pruning holds the lock alone, and does not
wait for it. So no blob goes that somebody relies on. The time counts from when a blob was first
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
from typing import Any, Iterator, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json, read_json, write_whole
from inseam.formats.oci.descriptor import BLOBS, blob_path
from inseam.formats.oci.layout import INDEX

# Seconds between two looks at all layouts, and how much one of them does at most.
_PAUSE = 3600
_MOST_FOLDERS = 20_000
_MOST_REMOVED = 1_000

LOCK = ".lock"
_UNUSED = "unused.json"
# The paths of layouts that are not in the folder that the store is in.
_ELSEWHERE = "elsewhere.json"


class Pruned(NamedTuple):
    """How many blobs were removed, and their size in bytes."""

    blobs: int
    size: int


@contextmanager
def using(store: Path) -> Iterator[None]:
    """Holds the lock of a store together with others that use its blobs."""
    store.mkdir(parents=True, exist_ok=True)
    with (store / LOCK).open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def remember(store: Path, layout: Path) -> None:
    """Lets `prune` know of a layout that is not in the folder that the store is in."""
    if store.parent in layout.parents:
        return
    known = _elsewhere(store)
    if str(layout) not in known:
        write_whole(store / _ELSEWHERE, json.dumps([*known, str(layout)]).encode())


def _elsewhere(store: Path) -> list[str]:
    path = store / _ELSEWHERE
    found = read_json(path) if path.exists() else []
    if not isinstance(found, list):
        raise Failure(f"{path} is damaged: it is not a list. Remove it.")
    return [str(one) for one in found]


def prune(store: Path, after: float, now: float | None = None) -> Pruned:
    """Removes the blobs that no layout has referred to for `after` seconds.

    Looks for layouts in the folder that the store is in, at most once an hour. Removes nothing if
    somebody uses the store, or if a layout cannot be read.
    """
    now = time.time() if now is None else now
    unused = store / _UNUSED
    try:
        if not (store / BLOBS).is_dir() or _is_new(unused, now):
            return Pruned(0, 0)
        with (store / LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _prune(store, unused, after, now)
    except (OSError, Failure):
        # Somebody uses the store, or what is in it is not for us to judge.
        return Pruned(0, 0)


def _is_new(path: Path, now: float) -> bool:
    return path.exists() and 0 <= now - path.stat().st_mtime < _PAUSE


def _prune(store: Path, unused: Path, after: float, now: float) -> Pruned:
    used = {
        digest for layout in [*_layouts(store), *_others(store)] for digest in _blobs(store, layout)
    }
    before = read_json(unused) if unused.exists() else {}
    since = {
        entry.name: float(before.get(entry.name, now))
        for entry in os.scandir(store / BLOBS)
        if not entry.name.startswith(".") and f"sha256:{entry.name}" not in used
    }
    oldest = sorted(since, key=lambda name: (since[name], name))[:_MOST_REMOVED]
    removed = [name for name in oldest if now - since[name] >= after]
    size = 0
    for name in removed:
        path = store / BLOBS / name
        size += path.lstat().st_size
        path.unlink()
        del since[name]
    write_whole(unused, json.dumps(since, indent=2, sort_keys=True).encode())
    os.utime(unused, (now, now))
    return Pruned(len(removed), size)


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
    """The digests of all blobs of the images in a layout."""
    index = layout / INDEX
    # One without an index is about to be written, by nobody who lives: it refers to nothing.
    documents = [read_json(index)] if index.exists() else []
    while documents:
        for descriptor in _descriptors(documents.pop()):
            digest = str(descriptor.get("digest"))
            yield digest
            if "manifest" in str(descriptor.get("mediaType")) or "index" in str(
                descriptor.get("mediaType")
            ):
                path = blob_path(store, digest)
                documents.append(parse_json(path.read_bytes(), str(path)))


def _descriptors(document: Any) -> Iterator[dict[str, Any]]:
    """What an image index or a manifest refers to (OCI image-spec 1.1)."""
    if not isinstance(document, dict):
        raise Failure("a document of a layout is not an object")
    for one in [
        *document.get("manifests", []),
        *document.get("layers", []),
        *([document["config"]] if "config" in document else []),
    ]:
        if not isinstance(one, dict):
            raise Failure("a descriptor of a layout is not an object")
        yield one
