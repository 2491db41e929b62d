"""Compiles the programs, for the interpreter that is to run them.

Usage: compile_programs PROGRAMS OUT

PROGRAMS is the folder with the sources of all programs. Writes them to OUT with their bytecode,
which depends on nothing but the sources and the running interpreter.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inseam.formats.files import write_whole
from inseam.formats.python.bytecode import cache_path, compile_source


def main(argv: list[str]) -> None:
    """See the module's text."""
    programs, out = map(Path, argv)
    for path in sorted(programs.rglob("*.py")):
        name = path.relative_to(programs).as_posix()
        source = path.read_bytes()
        write_whole(out / name, source)
        code = compile_source(source, f"{programs.name}/{name}")
        assert code is not None, name
        write_whole(out / cache_path(name, sys.version_info[:2]), code)
