"""Runs a command where there are no namespaces: with a system call filter and, if this is root, in
another root by chroot(2), as a user who owns nothing but the command's folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import Iterator

from inseam.formats.failure import Failure
from inseam.tools.bubblewrap import PLACE
from inseam.tools.nobody import become_nobody, give_to_nobody
from inseam.tools.root import Root
from inseam.tools.supervised import Supervised, supervise
from inseam.tools.system_calls import apply

_DEVICE_NUMBERS = {
    "null": 3,
    "zero": 5,
    "full": 7,
    "random": 8,
    "urandom": 9,
}  # minor device numbers; the major number is 1
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_DETACH = 2  # MNT_DETACH
_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def place_of(root: Root, folder: Path) -> str:
    """The path at which the command sees its folder."""
    return PLACE if root.folder is not None else str(folder.resolve())


def run_unconfined(command: Supervised, root: Root, filter_program: bytes) -> tuple[int, bytes]:
    """Does the same as `supervise`; raises Failure if the root cannot be entered."""
    if not filter_program:
        # Not on Linux: only the limits for every process apply.
        return supervise(command)
    _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        if os.geteuid() != 0:
            if root.folder is not None:
                raise Failure(
                    "the builder's root filesystem cannot be entered: without namespaces, only"
                    " root can do that"
                )
            try:
                return supervise(replace(command, enter=lambda: apply(filter_program), reaps=True))
            except FileNotFoundError as error:
                raise Failure(
                    f"the build does not start, since this machine lacks a shell: {error}"
                ) from error
        if root.folder is None:
            raise Failure(
                "as root, a build without namespaces needs its own root filesystem, and cannot use"
                " this machine's programs ([inseam].build_tools, [inseam].build_python)"
            )
        return _in_other_root(command, root.folder, filter_program)
    finally:
        _libc.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _in_other_root(command: Supervised, root: Path, filter_program: bytes) -> tuple[int, bytes]:
    def enter() -> None:
        os.chroot(root)
        os.chdir(PLACE)
        become_nobody()
        apply(filter_program)

    with _moved_into(root, command.folder) as inside, _prepared(root):
        return supervise(replace(command, folder=inside, enter=enter, reaps=True))


@contextlib.contextmanager
def _moved_into(root: Path, folder: Path) -> Iterator[Path]:
    """Moves a folder into a root until the block ends; there, the user nobody owns it."""
    inside = root / PLACE[1:]
    inside.parent.mkdir(exist_ok=True)
    here = os.open(root, os.O_RDONLY)
    try:
        # One command at a time, because they all have their folder at the same path.
        fcntl.flock(here, fcntl.LOCK_EX)
        shutil.rmtree(inside, ignore_errors=True)
        shutil.move(str(folder), str(inside))
        give_to_nobody(inside)
        try:
            yield inside
        finally:
            shutil.move(str(inside), str(folder))
    finally:
        os.close(here)


@contextlib.contextmanager
def _prepared(root: Path) -> Iterator[None]:
    """Adds to a root what the kernel or the init system normally provides, as far as permitted."""
    for name in ("dev", "proc"):
        (root / name).mkdir(exist_ok=True)
    for name, minor in _DEVICE_NUMBERS.items():
        with contextlib.suppress(OSError):
            os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            (root / "dev" / name).chmod(0o666)
    # Semaphores are stored there (sem_overview(7)).
    shared = root / "dev/shm"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir()
    give_to_nobody(shared)
    proc = str(root / "proc").encode()
    flags = ctypes.c_ulong(_NOSUID | _NODEV | _NOEXEC)
    mounted = _libc.mount(b"proc", proc, b"proc", flags, b"") == 0
    try:
        yield
    finally:
        shutil.rmtree(shared, ignore_errors=True)
        if mounted:
            _libc.umount2(proc, _DETACH)
