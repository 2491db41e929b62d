"""Turns first-party sources into the members of a layer, with bytecode."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from inseam.formats.python.bytecode import compile_module, minor_version
from inseam.formats.python.venv import APP
from inseam.formats.tar import EXECUTABLE_MODE, FILE_MODE, Member, Slice

OWNER = "first-party code"


def files_below(sources: Path) -> Iterator[tuple[str, Path]]:
    """Each file below `sources` that is not bytecode, as relative POSIX path and path."""
    for folder, _, names in os.walk(sources):
        cache = os.path.basename(folder) == "__pycache__"
        for name in names:
            if cache and name.endswith((".pyc", ".pyo")):
                continue
            path = Path(folder, name)
            yield path.relative_to(sources).as_posix(), path


def _mode(path: Path) -> int:
    return EXECUTABLE_MODE if path.stat().st_mode & 0o100 else FILE_MODE


def source_members(files: Mapping[str, Path]) -> Iterator[Member]:
    """First-party files, by import path, as members below /app, with bytecode."""
    minor = minor_version()
    for name, path in files.items():
        content = Slice(str(path), 0, path.stat().st_size)
        yield Member(f"{APP}/{name}", content, _mode(path), owner=OWNER)
        if not name.endswith(".py"):
            continue
        compiled = compile_module(path.read_bytes(), name, APP, minor)
        if compiled is not None:
            yield Member(f"{APP}/{compiled[0]}", compiled[1], owner=OWNER)
