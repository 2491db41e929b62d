"""Installs the programs on this machine, with bytecode, and a link to the interpreter.

Usage: install_programs --programs DIR --cache CACHE --interpreter NAME
           --name NAME PROGRAM...

DIR contains the sources of all programs. The interpreter's NAME in CACHE becomes a link to this
interpreter, the other NAME a copy of DIR, and each PROGRAM a link to such a copy. Existing files
stay: NAME and PROGRAM contain a version, and other checkouts may be running them. Only a copy that
was damaged by a full disk or a crash is replaced.
"""

from __future__ import annotations

import hashlib
import os
import py_compile
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from inseam.formats.arguments import ArgumentParser

SUM = "sha256"  # the file in a copy that contains the hash of all others


def hash_of(copy: Path) -> str:
    """A hash of all files of a copy."""
    hashed = hashlib.sha256()
    for path in sorted(copy.rglob("*")):
        name = path.relative_to(copy).as_posix()
        if path.is_file() and name != SUM:
            content = path.read_bytes()
            hashed.update(f"{name}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()


def is_whole(copy: Path) -> bool:
    """Whether a copy exists and is unchanged."""
    try:
        return (copy / SUM).read_text() == hash_of(copy)
    except (OSError, ValueError):
        return False


def install(programs: Path, copy: Path) -> None:
    """Copies and compiles programs, unless the copy exists; it appears completely or not at all."""
    if is_whole(copy):
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
        (temporary / SUM).write_text(hash_of(temporary))
        if is_whole(copy):
            return  # Another process was faster.
        damaged = temporary.with_name(f"{temporary.name}.damaged")
        with suppress(FileNotFoundError):
            copy.rename(damaged)
        temporary.rename(copy)
        shutil.rmtree(damaged, ignore_errors=True)
    except OSError:
        # Unless another process was faster.
        if not is_whole(copy):
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def link(path: Path, target: str) -> None:
    """Makes `path` a link to `target`, atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(path)


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="install_programs", description=__doc__)
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
