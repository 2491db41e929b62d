"""The resources that a container uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1024, "mi": 1024**2, "gi": 1024**3}
_SIZE = re.compile(r"([\d.]+) ?([kmg]i?)?b", re.IGNORECASE)

# Columns of `docker stats` and `podman stats`.
FORMAT = "{{.MemUsage}}|{{.PIDs}}"


@dataclass(frozen=True)
class Stats:
    """Resource usage of a container."""

    memory: int
    """Memory in bytes, without the page cache."""
    pids: int
    """Processes and threads."""


def parse(line: str) -> Stats:
    """Parses a line in FORMAT, such as `10.5MiB / 1GiB|9`."""
    memory, _, pids = line.partition("|")
    return Stats(size(memory.partition(" / ")[0]), int(pids))


def size(text: str) -> int:
    """Bytes, parsed from a number with a unit."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a size: {text!r}")
    return int(float(match[1]) * _UNITS[(match[2] or "").lower()])
