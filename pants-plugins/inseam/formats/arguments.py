"""Parses the arguments of programs; wrong arguments are errors like any others."""

from __future__ import annotations

import argparse
from typing import NoReturn

from inseam.formats.failure import Failure


class ArgumentParser(argparse.ArgumentParser):
    """An argparse parser that raises Failure instead of printing its usage and exiting.

    Rules call the programs, so the person who reads the message did not write the arguments.
    """

    def error(self, message: str) -> NoReturn:
        raise Failure(
            f"the program {self.prog} was called wrongly: {message}. If you did not call it"
            " yourself, this is a fault of Inseam: please report it."
        )
