"""A process of a container, as the host sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """A process of a container."""

    pid: int
    """PID on the host."""
    parent: int
    """Parent's PID on the host; with Podman, in the container."""
    state: str
    rss: int
    """Resident memory in bytes."""
    command: str

    @property
    def zombie(self) -> bool:
        return self.state.startswith("Z")


# Columns for `docker top`, which takes options of ps, and for `podman top`, which has other names.
PS = ("-eo", "pid,ppid,stat,rss,args")
PODMAN = ("hpid", "ppid", "state", "rss", "args")


def parse(text: str) -> tuple[Process, ...]:
    """Processes from a table with a header line; ps gives memory in KiB."""
    processes = []
    for line in text.splitlines()[1:]:
        pid, parent, state, rss, command = line.split(None, 4)
        processes.append(Process(int(pid), int(parent), state, int(rss) * 1024, command))
    return tuple(processes)
