"""Merges wheel trees into one layer.

Usage: merge --name NAME --out OUT [--venv-interpreter PATH --venv-version VERSION]
             [--machine NAME] [--prefer WINNER:KEY]... [--elsewhere TREE]... [TREE...]

Merges the wheel trees in the folders TREE by path, copying their bytes as they are, and writes
`NAME.tar`, `layer.json` (`Layer`), `paths.txt`, `names.txt`, `imports.txt`, `libraries.json` and
`shared.json` to the folder OUT. With the --venv options the layer also holds what makes a venv of
the wheels. A wheel with ELF files is refused if none of them is for --machine. Where wheels share a
path, --prefer selects the wheel whose file is used; if --elsewhere names that wheel, it is in
another layer, and this one has no file there. `formats.python.shared_path` decides about all other
paths.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.python.merge import MergeOptions, merge
from inseam.formats.python.shared_path import parse_preference


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="merge", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--venv-interpreter")
    parser.add_argument("--venv-version")
    parser.add_argument("--machine")
    parser.add_argument("--prefer", action="append", default=[], type=parse_preference)
    parser.add_argument("--elsewhere", action="append", default=[], type=Path)
    parser.add_argument("trees", nargs="*", type=Path)
    options = parser.parse_args(argv)
    venv = None
    if options.venv_interpreter:
        venv = options.venv_interpreter, options.venv_version
    merging = MergeOptions(venv, options.machine, tuple(options.prefer), tuple(options.elsewhere))
    merge(options.name, options.trees, options.out, merging)
