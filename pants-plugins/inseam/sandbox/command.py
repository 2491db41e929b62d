"""Runs a sandbox program: `python programs COMMAND ARGUMENT...`."""

from __future__ import annotations

import importlib
import sys


class Failure(Exception):
    """Something the user has to mend; the text says what, and is all that is printed."""


def run(argv: list[str]) -> int:
    """Runs the program `argv[0]` with the rest as its arguments; returns the exit code."""
    program = importlib.import_module(f"inseam.sandbox.{argv[0]}")
    try:
        program.main(argv[1:])
    except Failure as error:
        print(error, file=sys.stderr)
        return 1
    return 0
