"""A process of a container, as the host sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """A process of a container."""

    pid: int
    """In the host's numbering."""
    parent: int
    """In the host's numbering, too; Podman gives the container's own."""
    state: str
    rss: int
    """Resident memory in bytes."""
    command: str

    @property
    def zombie(self) -> bool:
        return self.state.startswith("Z")


# What to ask `docker top`, which takes options of ps, and `podman top`, which has names of its own.
PS = ("-eo", "pid,ppid,stat,rss,args")
PODMAN = ("hpid", "ppid", "state", "rss", "args")


def parse(text: str) -> tuple[Process, ...]:
    """Processes from a table whose first line is its head; ps gives memory in KiB."""
    processes = []
    for line in text.splitlines()[1:]:
        pid, parent, state, rss, command = line.split(None, 4)
        processes.append(Process(int(pid), int(parent), state, int(rss) * 1024, command))
    return tuple(processes)
