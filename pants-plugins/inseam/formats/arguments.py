"""Reads the arguments of programs; what is wrong with them is an error like any other."""

from __future__ import annotations

import argparse
from typing import NoReturn

from inseam.formats.failure import Failure


class ArgumentParser(argparse.ArgumentParser):
    """argparse's, which raises Failure where that prints its usage and exits.

    Rules call the programs, so the reader of the message did not write the arguments.
    """

    def error(self, message: str) -> NoReturn:
        raise Failure(
            f"the program {self.prog} was called wrongly: {message}. If you did not call it"
            " yourself, this is a fault of Inseam: please report it."
        )
