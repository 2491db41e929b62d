"""Checks that layers of wheels, one on top of the other, agree on every path.

Usage: check_layers LAYER...

LAYER... are folders that `merge` wrote. Fails, with both names, where two wheels in different
layers have different content at one path; within one layer, `merge` checks that.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.python.conflicts import check_layers


def main(argv: list[str]) -> None:
    """See the module's text."""
    check_layers(Path(folder) for folder in argv)
