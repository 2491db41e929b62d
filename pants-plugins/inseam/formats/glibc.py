"""The version of a GNU C library, which determines the programs that run on it."""

from __future__ import annotations

import re
from typing import NamedTuple

from inseam.formats.failure import Failure

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})")


class GlibcVersion(NamedTuple):
    """A release of glibc. Programs that are built for one run on it and on all later ones."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def parse_glibc(text: str) -> GlibcVersion:
    """Reads "2.36"; raises Failure for anything else."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise Failure(f"{text!r} is not a version of glibc. Write it like 2.36.")
    return GlibcVersion(int(match[1]), int(match[2]))
