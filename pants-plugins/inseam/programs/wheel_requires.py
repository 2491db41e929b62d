"""Finds what a wheel requires.

Usage: wheel_requires WHEEL OUT

Writes a JSON list of requirement strings to OUT.
"""

from __future__ import annotations

import json
from pathlib import Path

from inseam.formats.files import write_whole
from inseam.formats.python.requires import requires


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    wheel, out = map(Path, argv)
    write_whole(out, json.dumps(requires(wheel)).encode())
