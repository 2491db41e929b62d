"""Runs a program: `python -m inseam.programs PROGRAM ARGUMENT...`."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from inseam.formats.failure import Failure, no_space


def program_module(name: str) -> Any:
    """The module of a program: "merge" is in this folder, "sbom.programs.cyclonedx" in the folder
    of a backend.
    """
    return importlib.import_module(f"inseam.{name}" if "." in name else f"inseam.programs.{name}")


def run(argv: list[str]) -> int:
    """Runs the program `argv[0]` with the rest as its arguments; returns the exit code."""
    try:
        program_module(argv[0]).main(argv[1:])
    except Failure as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if not no_space(error):
            raise
        print(
            f"There is no space for {error.filename or 'a file'} in {os.getcwd()}"
            f" ({error.strerror}). Free some space, or set local_execution_root_dir in pants.toml"
            " to a folder of another disk, and run the same command again.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
