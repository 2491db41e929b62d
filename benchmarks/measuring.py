"""Runs commands and says how long they took and how much memory they had."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SAMPLE = 0.1  # seconds between two looks at memory
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Run:
    """A command that succeeded: wall time in seconds, peak memory in bytes (0: not measured)."""

    seconds: float
    peak: int = 0
    output: str = ""


class Failed(Exception):
    """A measured command failed; the message contains its output."""


def run(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    *,
    memory: bool = False,
    daemons: Iterable[int] = (),
    timeout: float = 1800,
) -> Run:
    """Runs a command to its end.

    memory: whether to add up the resident memory of the command and all that it starts. daemons:
    processes, with all that they start, that belong to the command as well.
    """
    start = time.monotonic()
    process = subprocess.Popen(
        list(argv),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watch = _Watch([process.pid, *daemons])
    if memory:
        watch.start()
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Failed(f"{' '.join(argv)}: not done after {timeout:g} s") from None
    seconds = time.monotonic() - start
    peak = watch.end() if memory else 0
    if process.returncode != 0:
        raise Failed(f"{' '.join(argv)} failed with {process.returncode}:\n{output[-6000:]}")
    return Run(seconds, peak, output)


class _Watch(threading.Thread):
    """Looks at the memory of trees of processes until it is told to end."""

    def __init__(self, roots: list[int]) -> None:
        super().__init__(daemon=True)
        self._roots, self._peak, self._done = roots, 0, threading.Event()

    def run(self) -> None:
        while not self._done.wait(_SAMPLE):
            self._peak = max(self._peak, sum(map(_memory, _tree(self._roots))))

    def end(self) -> int:
        self._done.set()
        self.join()
        return self._peak


def _tree(roots: list[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found: set[int] = set()
    queue = list(roots)
    while queue:
        process = queue.pop()
        if process not in found:
            found.add(process)
            queue += children.get(process, [])
    return found


def _memory(process: int) -> int:
    """Resident memory of a process, in bytes. To ask for less, as for its share of what several
    have, makes the kernel stop the process and look at each page."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


@dataclass
class Series:
    """Repeated measurements of one thing, in seconds."""

    name: str
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def worst(self) -> float:
        return max(self.seconds)


def machine() -> dict[str, Any]:
    """What was measured on, and how busy it was."""
    memory = re.search(r"MemTotal: +(\d+)", Path("/proc/meminfo").read_text())
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory": int(memory[1]) * 1024 if memory else 0,
        "kernel": os.uname().release,
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def write_json(path: Path | None, result: Mapping[str, Any]) -> None:
    """Writes a result, if there is a path for it."""
    if path:
        path.write_text(json.dumps(result, indent=2) + "\n")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table: the first column is text, the others are numbers."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def row(cells: Sequence[str]) -> str:
        first, *others = cells
        padded = [first.ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(others, widths[1:])]
        return f"| {' | '.join(padded)} |"

    rule = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join([row(lines[0]), f"| {' | '.join(rule)} |", *map(row, lines[1:])])


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"
