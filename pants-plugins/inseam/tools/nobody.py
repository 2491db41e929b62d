"""Lets root start a command as the user nobody, who sees only some of root's folders.

A process that is root outside a namespace can change what root owns, such as /dev/null and the
files in /proc/sys, even inside the namespace. So nothing untrusted runs as root.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

NOBODY = 65534
_NEWNS, _BIND, _REC, _PRIVATE = 0x00020000, 4096, 16384, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


class View(NamedTuple):
    """Maps paths in folders that a user cannot enter to the paths at which the user sees them."""

    places: dict[str, str]
    """Where each path is seen; empty if the user is the one who runs this."""

    def see(self, path: str | Path) -> str:
        """The path at which the user sees one of the paths, or a path below it."""
        text = str(path)
        for seen, place in self.places.items():
            if text == seen or text.startswith(f"{seen}/"):
                return place + text[len(seen) :]
        return text

    def enter(self) -> None:
        """Makes this process run as the user; raises OSError if root may not create mounts."""
        if not self.places:
            return
        _check(_libc.unshare(_NEWNS))
        _mount("none", "/", _REC | _PRIVATE)
        for path, place in self.places.items():
            _mount(path, place, _BIND | _REC)
        os.chdir("/")
        become_nobody()


def become_nobody() -> None:
    """Gives up all of root's rights."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def give_to_nobody(folder: Path) -> None:
    """Makes nobody the owner of a folder and everything below it."""
    os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(at, name), NOBODY, NOBODY, follow_symlinks=False)


@contextmanager
def viewed(paths: Iterable[Path]) -> Iterator[View]:
    """The view of nobody if this is root, otherwise that of the user who runs this."""
    if os.geteuid() != 0:
        yield View({})
        return
    # This folder contains only mount points, which are empty outside the view.
    folder = Path(tempfile.mkdtemp(prefix="inseam-view-"))
    try:
        folder.chmod(0o755)
        places = {}
        for number, path in enumerate(dict.fromkeys(paths)):
            place = folder / str(number)
            if path.is_dir():
                place.mkdir()
            else:
                place.touch()
            places[str(path)] = str(place)
        yield View(places)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mount(source: str, target: str, flags: int) -> None:
    given = (os.fsencode(source), os.fsencode(target), None, ctypes.c_ulong(flags), None)
    _check(_libc.mount(*given))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
