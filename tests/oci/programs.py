"""Runs the programs as processes, for these tests."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Mapping, Sequence

_MODULES = ("inseam", "deflate", "zstandard")


def search_path() -> str:
    """The folders that hold the programs and the compressors, and nothing of the interpreter's."""
    found: dict[str, None] = {}
    for name in _MODULES:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            found[os.path.dirname(place)] = None
    return os.pathsep.join(found)


def command(*argv: str, python: str = sys.executable) -> list[str]:
    """What starts a program."""
    return [python, "-sSBm", "inseam.programs", *argv]


def environment(env: Mapping[str, str] = {}) -> dict[str, str]:
    """What a program gets of the environment: enough for skopeo and the engines to work, and what
    must not matter."""
    kept = ("PATH", "HOME", "DOCKER_HOST", "TMPDIR", "PYTHONHASHSEED", "TZ", "LANG", "LC_ALL")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return {**inherited, "PYTHONPATH": search_path(), **env}


def run_program(
    *argv: str, cwd: Path, env: Mapping[str, str] = {}, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Runs a program in the folder."""
    return subprocess.run(
        command(*argv, python=python),
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def succeed(*argv: str, cwd: Path, env: Mapping[str, str] = {}) -> str:
    """Runs a program that has to succeed; gives what it prints."""
    result = run_program(*argv, cwd=cwd, env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout


def call(argv: Sequence[str]) -> str:
    """Runs any command that has to succeed; gives what it prints."""
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout
