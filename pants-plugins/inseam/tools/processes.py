"""Finds the processes that a process started, in /proc (proc(5)), and ends them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Iterable, NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
# In /proc/<pid>/stat, after the name.
_PARENT, _THREADS, _RESIDENT = 1, 17, 21


class Process(NamedTuple):
    """A process, with its number of threads and its resident memory in bytes."""

    pid: int
    parent: int
    threads: int
    memory: int


def all_processes() -> dict[int, Process]:
    """All processes on this machine; empty without /proc."""
    found = {}
    with contextlib.suppress(FileNotFoundError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    process = _read(int(entry.name))
                    found[process.pid] = process
    return found


def _read(pid: int) -> Process:
    with open(f"/proc/{pid}/stat", "rb") as file:
        # The name may contain spaces and parentheses.
        fields = file.read().rpartition(b")")[2].split()
    return Process(pid, int(fields[_PARENT]), int(fields[_THREADS]), int(fields[_RESIDENT]) * _PAGE)


def descendants(of: int, but: Iterable[int] = ()) -> list[Process]:
    """All descendants of a process. but: processes to leave out, with their descendants."""
    processes = all_processes()
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    left_out, found, queue = set(but), [], [of]
    while queue:
        for child in children.get(queue.pop(), ()):
            if child.pid not in left_out:
                found.append(child)
                queue.append(child.pid)
    return found


def end_all(of: int, but: Iterable[int] = (), *, seconds: float = 300) -> None:
    """Ends all descendants of a process. The process must adopt orphans (PR_SET_CHILD_SUBREAPER,
    prctl(2)), or they are not found.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = descendants(of, but)
        if not found:
            return
        # All are stopped first, because running ones could start others in the meantime.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                with contextlib.suppress(OSError):
                    os.kill(process.pid, number)
        for process in found:
            with contextlib.suppress(OSError):
                os.waitpid(process.pid, os.WNOHANG)
        time.sleep(0.01)
