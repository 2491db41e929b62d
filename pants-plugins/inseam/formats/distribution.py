"""Names a distribution that a lock has."""

from __future__ import annotations

from typing import NamedTuple


class Wheel(NamedTuple):
    """A distribution as the lock names it; sha256 is that of the wheel file, in hex."""

    name: str
    version: str
    sha256: str
