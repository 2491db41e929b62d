"""Runs programs in separate processes, as Pants does, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Mapping

MAIN = "import sys; from inseam.programs.__main__ import run; sys.exit(run(sys.argv[1:]))"

# Environments that must not affect the result, one after the other.
SURROUNDINGS: tuple[tuple[dict[str, str], int], ...] = (
    ({"PYTHONHASHSEED": "0"}, 0o022),
    ({"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LANG": "C", "LC_ALL": "C"}, 0o077),
    ({"PYTHONHASHSEED": "4711", "TZ": "America/Caracas", "LC_ALL": "C.UTF-8"}, 0o002),
)


def run_program(
    *argv: str, cwd: Path, env: Mapping[str, str] = {}, umask: int = 0o022
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m inseam.programs ARGV...` in the folder `cwd`, in an empty environment."""
    return subprocess.run(
        [sys.executable, "-sB", "-c", MAIN, *argv],
        cwd=cwd,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **env},
        umask=umask,
        check=False,
        capture_output=True,
        text=True,
    )


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
