"""Compares layers of wheels, one on top of the other.

Usage: compare_layers --out OUT [--prefer WINNER:KEY]... LAYER...

LAYER... are folders that `merge` wrote, lowest first. Writes `shared.json` to the folder OUT: the
paths that wheels in different layers have in common, as `merge` does for one layer. Fails where a
file in one is a folder in another.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.python.conflicts import compare_layers
from inseam.formats.python.shared_path import parse_preference, write_shared


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="compare_layers", description=__doc__)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--prefer", action="append", default=[], type=parse_preference)
    parser.add_argument("layers", nargs="*", type=Path)
    options = parser.parse_args(argv)
    write_shared(compare_layers(options.layers, options.prefer), options.out)
