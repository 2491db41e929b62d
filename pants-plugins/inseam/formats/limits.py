"""Defines how much a build of sources from outside may use."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Iterable

from inseam.formats.failure import Failure
from inseam.formats.folder import Bounds

OPTION = "[inseam].build_limits"


@dataclass(frozen=True)
class Limits:
    """Limits for one build; each is a key of the option."""

    memory: int = 8_000_000_000
    """Memory in bytes, for each process and for all together."""
    processes: int = 2000
    """Number of simultaneous processes and threads."""
    disk: int = 20_000_000_000
    """Bytes on disk in the folder of the build."""
    open_files: int = 8192
    """Open files of each process."""
    output: int = 100_000_000
    """Bytes that it may print."""
    unpacked: int = 4_000_000_000
    """Bytes of its unpacked sources, and of its unpacked requirements."""
    members: int = 200_000
    """Number of files, folders and links in its sources, and in its requirements."""
    wheel: int = 4_000_000_000
    """Bytes of the wheel that it makes, both packed and unpacked."""
    requirements: int = 500
    """Number of requirements."""

    @property
    def bounds(self) -> Bounds:
        """The limits for unpacking."""
        keys = f" ({OPTION}, keys 'unpacked' and 'members')"
        return Bounds(self.unpacked, self.members, keys)


def named(key: str) -> str:
    """How errors name a limit."""
    return f"({OPTION}, key {key!r})"


def parse_limits(given: Iterable[tuple[str, int | str]]) -> Limits:
    """Limits, with the given ones replacing defaults; raises Failure for unknown names, and for
    values that are not positive whole numbers.
    """
    known = [field.name for field in fields(Limits)]
    found: dict[str, int] = {}
    for name, value in given:
        if name not in known:
            raise Failure(f"{OPTION} has the key {name!r}. Its keys are: {', '.join(known)}.")
        if not (str(value).isascii() and str(value).isdigit() and len(str(value)) < 19):
            raise Failure(f"{OPTION}, key {name!r}: {value!r} is not a positive whole number.")
        found[name] = int(value)
        if not found[name]:
            raise Failure(f"{OPTION}, key {name!r}: {value!r} is not a positive whole number.")
    return replace(Limits(), **found)
