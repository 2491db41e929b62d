"""How a program that was taken out of an image is started: by its own dynamic loader (ld.so(8))."""

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
    """How the interpreter of a tree is started: what stands before its own arguments."""
    return (
        f"{tree}/{LOADER}",
        # Not this machine's libraries, where the tree lacks one.
        "--inhibit-cache",
        "--library-path",
        f"{tree}/{LIBRARIES}",
        f"{tree}/{INTERPRETER}",
    )


def tree_of(interpreter: str) -> Path | None:
    """The folder of the CPython that an interpreter is part of; None for an installed one."""
    folder = Path(interpreter).parent.parent
    return folder if (folder / LOADER).is_file() else None


def copy_tree(tree: Path, to: Path) -> None:
    """Copies the files of a CPython for a venv, so that their folders can be removed again.

    Raises Failure if its loader cannot start it under the path of a venv, as before glibc 2.33.
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
    """How a program of a root file system with Debian's packages is started outside of it."""
    libraries = root / f"usr/lib/{platform.machine()}-linux-gnu"
    return (
        str(libraries / _LOADERS[platform.machine()]),
        "--inhibit-cache",
        "--library-path",
        str(libraries),
        str(root / "usr/bin" / name),
    )
