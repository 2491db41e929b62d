"""Compiles the programs with the interpreter that will run them.

Usage: compile_programs PROGRAMS LIST OUT

PROGRAMS is the folder with the sources of all programs. LIST is a JSON file with the source files
of each program, by its name. Creates a folder in OUT for each program, with the script that starts
it, and an archive of its modules with their bytecode. The bytes depend only on the sources and the
running interpreter.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.files import read_json, write_whole
from inseam.formats.python.bytecode import compile_source
from inseam.formats.python.module_archive import write_archive

MAIN = "__main__.py"
ARCHIVE = "modules.zip"


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    programs, listed, out = map(Path, argv)
    compiled: dict[str, bytes] = {}
    for name, paths in sorted(read_json(listed).items()):
        files: dict[str, bytes] = {}
        for path in paths:
            source = (programs / path).read_bytes()
            if path not in compiled:
                code = compile_source(source, f"{programs.name}/{path}")
                assert code is not None, path
                compiled[path] = code
            files[path] = source
            files[f"{path}c"] = compiled[path]
        write_whole(out / name / MAIN, files.pop(MAIN))
        del files[f"{MAIN}c"]
        write_archive(out / name / ARCHIVE, files)
