"""Cuts first-party code into fragments of a tar, from which the layers of services are merged.

Usage: code --sources DIR --folder FOLDER --out OUT [--entry-point NAME=ENTRY_POINT]...
            [--console-scripts] [--script NAME=MODULE:FUNCTION]... [--missing MODULE]...
            [--writable-dir UID:PATH]... [--format gzip|zstd]

DIR contains sources at their import paths, all of them below DIR/FOLDER. Each name in that folder
becomes a fragment. Writes `code.tar`, `code.blob` and `code.json` to the folder OUT (see
`formats.python.code`). An entry point must exist if its module is among the sources. With
--console-scripts, there is also a fragment with the console scripts of all entry points, those of
--script, and the empty directories of --writable-dir. --missing names standard modules that the
base lacks.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.compression import LAYER_TYPES
from inseam.formats.python.code import CodeRequest, write_code
from inseam.formats.python.entry_point import parse_entry_point


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="code", description=__doc__)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--folder", default="")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--entry-point", action="append", default=[], type=parse_entry_point)
    parser.add_argument("--console-scripts", action="store_true")
    parser.add_argument("--script", action="append", default=[], type=parse_entry_point)
    parser.add_argument("--missing", action="append", default=[])
    parser.add_argument("--writable-dir", action="append", default=[])
    parser.add_argument("--format", choices=sorted(LAYER_TYPES), default="gzip")
    options = parser.parse_args(argv)
    write_code(
        options.sources,
        options.out,
        CodeRequest(
            folder=options.folder,
            entry_points=tuple(options.entry_point),
            console_scripts=options.console_scripts,
            scripts=tuple(options.script),
            missing=tuple(options.missing),
            writable_dirs=tuple(options.writable_dir),
            format=options.format,
        ),
    )
