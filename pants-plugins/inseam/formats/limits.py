"""Says how much a build of foreign sources may use."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Iterable

from inseam.formats.failure import Failure
from inseam.formats.folder import Bounds

OPTION = "[inseam].build_limits"


@dataclass(frozen=True)
class Limits:
    """Limits of one build; each is a key of the option."""

    memory: int = 8_000_000_000
    """Bytes, of each process and of all together."""
    processes: int = 2000
    """Processes and their threads, at once."""
    disk: int = 20_000_000_000
    """Bytes in the folder of the build."""
    open_files: int = 8192
    """For each process."""
    output: int = 100_000_000
    """Bytes that it may print."""
    unpacked: int = 4_000_000_000
    """Bytes of its sources, unpacked, and of what it requires."""
    members: int = 200_000
    """Files, folders and links in its sources, and in what it requires."""
    wheel: int = 4_000_000_000
    """Bytes of the wheel that it makes, and of what is in it."""
    requirements: int = 500
    """How many requirements it may have."""

    @property
    def bounds(self) -> Bounds:
        """The bounds of what is unpacked."""
        keys = f" ({OPTION}, keys 'unpacked' and 'members')"
        return Bounds(self.unpacked, self.members, keys)


def named(key: str) -> str:
    """How an error says which limit it is about."""
    return f"({OPTION}, key {key!r})"


def parse_limits(given: Iterable[tuple[str, int | str]]) -> Limits:
    """Limits with some other than the default; raises Failure for unknown names, and values that
    are not positive whole numbers."""
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
