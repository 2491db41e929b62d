"""Decides which files in `dist` belong to Inseam; no others are changed or removed.

Anyone may have written to that folder. So links are not followed, and blobs are removed only from a
store with a marker, which it got when it was created.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from inseam.formats.failure import Failure
from inseam.formats.files import write_whole
from inseam.formats.oci.descriptor import BLOBS
from inseam.formats.regular import read_regular

LOCK = ".lock"
MARKER = ".inseam"
_OURS = b"Blobs of images; `./pants package` removes those that no image refers to any more.\n"
_FOREIGN = b"Blobs of images; some of them were here before Inseam, so none is ever removed.\n"
_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC


def check_no_links(folder: Path, dist: Path) -> None:
    """Raises Failure if `folder` is reached through a link below `dist`."""
    for path in (folder, *folder.parents):
        if path == dist:
            return
        if path.is_symlink():
            raise Failure(
                f"{path} is a link to {os.readlink(path)}, and nothing is written through links."
                f" Remove {path}."
            )
        if dist not in path.parents:
            return


def make_way(path: Path) -> None:
    """Removes an empty folder at the path of one of our files, which a rename would not replace.

    Raises Failure if the folder is not empty, because its content may belong to someone else.
    """
    if not path.is_dir() or path.is_symlink():
        return
    try:
        path.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise Failure(
            f"{path} is a folder that is not empty, where Inseam has to write a file. Move or"
            " remove it, then run the same command again."
        ) from None


def claim(store: Path) -> None:
    """Creates a store, and marks it as ours unless another program created it.

    Raises Failure if something is in its place that cannot be replaced.
    """
    check_no_links(store / BLOBS, store.parent)
    marker = store / MARKER
    if _is_regular(marker):
        return
    # A store from an older version has a lock, but no marker.
    ours = not os.path.lexists(store / "blobs") or _is_regular(store / LOCK)
    if os.path.lexists(store) and not store.is_dir():
        raise Failure(
            f"{store} is not a folder, but blobs of images belong there. Move or remove it, then"
            " run the same command again."
        )
    store.mkdir(parents=True, exist_ok=True)
    make_way(marker)
    write_whole(marker, _OURS if ours else _FOREIGN)


def is_ours(store: Path) -> bool:
    """Whether a store has our marker, which this user wrote."""
    marker = store / MARKER
    try:
        return read_regular(marker, 1000) == _OURS and marker.lstat().st_uid == os.geteuid()
    except (OSError, Failure):
        return False


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


@contextmanager
def locked(store: Path, operation: int) -> Iterator[None]:
    """Holds the lock of a store; operation: as in `fcntl.flock`.

    If there is something other than a file in its place, such as a link or a pipe, it is replaced;
    raises Failure for a folder that is not empty.
    """
    path = store / LOCK
    if os.path.lexists(path) and not _is_regular(path):
        make_way(path)
        path.unlink(missing_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | _OPEN, 0o644)
    try:
        fcntl.flock(file, operation)
        yield
    finally:
        os.close(file)


@contextmanager
def opened_blobs(store: Path) -> Iterator[int]:
    """The descriptor of the folder of a store's blobs; raises OSError if a link leads to it."""
    at = os.open(store, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
    try:
        for part in BLOBS.split("/"):
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)
