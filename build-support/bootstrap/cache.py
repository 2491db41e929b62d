"""Creates an entry of the launcher's cache once, even if several processes need it or one dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn


def say(message: str) -> None:
    """Prints a line for the user to stderr; stdout belongs to Pants."""
    print(f"pants: {message}", file=sys.stderr, flush=True)


def fail(message: str) -> NoReturn:
    """Ends the program with a message and exit code 1."""
    say(message)
    sys.exit(1)


@contextlib.contextmanager
def exclusive(entry: Path) -> Iterator[None]:
    """Holds the lock for creating the cache entry `entry`.

    The kernel releases the lock when the last process that holds its file descriptor ends. The
    descriptor is inheritable, so a child started with `close_fds=False` keeps the lock even if its
    parent is killed, and no other process touches the files that it writes.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(entry.parent / f".{entry.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.set_inheritable(fd, True)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that is creating {entry}")
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def remove(path: Path) -> None:
    """Removes a file, a link or a whole folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()


def publish(made: Path, entry: Path) -> None:
    """Points the link `entry` to the finished sibling folder `made`, in one atomic step."""
    link = entry.parent / f".{entry.name}.link"
    remove(link)
    link.symlink_to(made.name)
    os.replace(link, entry)
