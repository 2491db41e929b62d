"""Checks that a service's code and the wheels below it do not hide each other.

Usage: check_code --sources DIR [--entry-point NAME=ENTRY_POINT]... [LAYER...]

DIR contains the service's first-party sources at their import paths. LAYER... are folders of layers
of wheels. `formats.python.conflicts.check_code` describes the errors.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.python.conflicts import check_code
from inseam.formats.python.entry_point import parse_entry_point


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="check_code", description=__doc__)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--entry-point", action="append", default=[], type=parse_entry_point)
    parser.add_argument("layers", nargs="*", type=Path)
    options = parser.parse_args(argv)
    check_code(options.sources, options.entry_point, options.layers)
