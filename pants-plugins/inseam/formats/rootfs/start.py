"""Starts programs that were extracted from an image, with their own dynamic loader (ld.so(8))."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from inseam.formats.failure import Failure

LOADER, LIBRARIES, INTERPRETER = "ld.so", "libraries", "bin/python"
TOOLS_TAR = "tools.tar"
_LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}


def argv(tree: str) -> tuple[str, ...]:
    """The command that starts the interpreter of a tree, without the interpreter's arguments."""
    return (
        f"{tree}/{LOADER}",
        # Do not use this machine's libraries if the tree lacks one.
        "--inhibit-cache",
        "--library-path",
        f"{tree}/{LIBRARIES}",
        f"{tree}/{INTERPRETER}",
    )


def tree_of(interpreter: str) -> Path | None:
    """The folder of the CPython to which an interpreter belongs; None for an installed one."""
    folder = Path(interpreter).parent.parent
    return folder if (folder / LOADER).is_file() else None


def copy_tree(tree: Path, to: Path) -> None:
    """Copies the files of a CPython for a venv, so that their folders can be removed again.

    Raises Failure if its loader cannot start it under a venv's path, as before glibc 2.33.
    """
    if b"--argv0" not in (tree / LOADER).read_bytes():
        raise Failure(
            "the glibc of the base is older than 2.33, so its CPython cannot run builds. Lock a"
            " wheel, or set [inseam].build_python to 'installed'."
        )
    shutil.copytree(tree, to)
    for folder, _, _ in os.walk(to):
        os.chmod(folder, 0o755)


def tool(root: Path, name: str) -> tuple[str, ...]:
    """The command that starts a program of a root filesystem with Debian packages from outside."""
    libraries = root / f"usr/lib/{platform.machine()}-linux-gnu"
    return (
        str(libraries / _LOADERS[platform.machine()]),
        "--inhibit-cache",
        "--library-path",
        str(libraries),
        str(root / "usr/bin" / name),
    )
