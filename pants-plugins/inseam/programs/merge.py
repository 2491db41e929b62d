"""Merges wheel trees into one layer.

Usage: merge --name NAME --out OUT [--venv-interpreter PATH --venv-version VERSION]
             [--machine NAME] [TREE...]

Merges the wheel trees in the folders TREE by path, copying their bytes as they are, and writes
`NAME.tar`, `layer.json` (`Layer`), `paths.txt`, `names.txt`, `imports.txt` and `libraries.json` to
the folder OUT. With the --venv options the layer also holds what makes a venv of the wheels. A
wheel with ELF files is refused if none of them is for --machine.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.python.merge import merge


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = ArgumentParser(prog="merge", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--venv-interpreter")
    parser.add_argument("--venv-version")
    parser.add_argument("--machine")
    parser.add_argument("trees", nargs="*", type=Path)
    options = parser.parse_args(argv)
    venv = None
    if options.venv_interpreter:
        venv = options.venv_interpreter, options.venv_version
    merge(options.name, options.trees, options.out, venv=venv, machine=options.machine)
