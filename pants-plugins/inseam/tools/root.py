"""Says which files a build sees besides its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple


class Root(NamedTuple):
    """Where a program finds its root file system."""

    folder: Path | None
    """With the root file system; None for parts of this machine's."""
    shown: tuple[Path, ...] = ()
    """Those parts."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All paths of this machine that are in it."""
        own = (self.folder,) if self.folder else ()
        return (*own, *(path for path in self.shown if not path.is_symlink()))


# Programs and libraries, and what the loader reads.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/etc/alternatives", "/etc/ld.so.cache"),
)


def root_in(folder: Path) -> Root:
    """The root file system in a folder, with the places that each has."""
    for name in ("dev", "etc", "proc", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "etc/passwd").touch()
    return Root(folder)


def machine_root() -> Root:
    """The programs of this machine, and the running interpreter: neither its configuration nor
    anyone's files."""
    shown = [Path(path) for path in _SYSTEM if Path(path).exists()]
    for prefix in dict.fromkeys((sys.base_prefix, sys.base_exec_prefix)):
        folder = Path(prefix).resolve()
        if not any(folder.is_relative_to(path) for path in shown):
            shown.append(folder)
    return Root(None, tuple(shown))
