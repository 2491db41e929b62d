"""Installs the programs on this machine, with bytecode, and a link to the interpreter.

Usage: install_programs --programs DIR --cache CACHE --interpreter NAME
           --name NAME PROGRAM...

DIR has the sources of all programs. CACHE/INTERPRETER becomes a link to this interpreter,
CACHE/NAME a copy of DIR, and each CACHE/PROGRAM a link to such a copy. What is there stays: NAME
and PROGRAM name versions, and other checkouts may be running them.
"""

from __future__ import annotations

import argparse
import os
import py_compile
import shutil
import sys
from pathlib import Path


def install(programs: Path, copy: Path) -> None:
    """Copies programs and compiles them, unless the copy is there; it is whole or not there."""
    if copy.exists():
        return
    temporary = copy.with_name(f".{copy.name}.{os.getpid()}")
    try:
        shutil.copytree(programs, temporary)
        for path in temporary.rglob("*.py"):
            py_compile.compile(
                str(path),
                dfile=str(copy / path.relative_to(temporary)),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        temporary.rename(copy)
    except OSError:
        # Unless another process was faster.
        if not copy.exists():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def link(path: Path, target: str) -> None:
    """Makes `path` a link to `target`, at once."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(path)


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="install_programs", description=__doc__)
    parser.add_argument("--programs", required=True, type=Path)
    parser.add_argument("--cache", required=True, type=Path)
    parser.add_argument("--interpreter", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("links", nargs="*", metavar="PROGRAM")
    options = parser.parse_args(argv)
    options.cache.mkdir(parents=True, exist_ok=True)
    link(options.cache / options.interpreter, sys.executable)
    install(options.programs, options.cache / options.name)
    for name in options.links:
        if not (options.cache / name).exists():
            link(options.cache / name, options.name)
