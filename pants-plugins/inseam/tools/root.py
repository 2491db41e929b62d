"""Decides which files a build sees in addition to its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple


class Root(NamedTuple):
    """The root filesystem of a program."""

    folder: Path | None
    """The folder with the root filesystem; None for parts of this machine's."""
    shown: tuple[Path, ...] = ()
    """The paths of those parts."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All paths on this machine that are in it."""
        own = (self.folder,) if self.folder else ()
        return (*own, *(path for path in self.shown if not path.is_symlink()))


# Programs and libraries, and the files that the dynamic loader reads.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/alternatives", "/etc/ld.so.cache"),
)


def root_in(folder: Path) -> Root:
    """The root filesystem in a folder, with the directories that every root needs."""
    for name in ("dev", "etc", "proc", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "etc/passwd").touch()
    return Root(folder)


def machine_root() -> Root:
    """This machine's programs and the running interpreter, without the machine's configuration or
    anyone's files.
    """
    shown = [Path(path) for path in _SYSTEM if Path(path).exists()]
    for prefix in dict.fromkeys((sys.base_prefix, sys.base_exec_prefix)):
        folder = Path(prefix).resolve()
        if not any(folder.is_relative_to(path) for path in shown):
            shown.append(folder)
    return Root(None, tuple(shown))
