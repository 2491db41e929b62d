"""Runs a program: `python -m inseam.programs PROGRAM ARGUMENT...`."""

from __future__ import annotations

import importlib
import sys

from inseam.formats.failure import Failure


def run(argv: list[str]) -> int:
    """Runs the program `argv[0]` with the rest as its arguments; returns the exit code."""
    program = importlib.import_module(f"inseam.programs.{argv[0]}")
    try:
        program.main(argv[1:])
    except Failure as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
