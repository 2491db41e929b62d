"""The processes of a service, as they see themselves: in the container's own numbering."""

from __future__ import annotations

import json
from dataclasses import dataclass

from images.services import python
from inseam.testing import Container

_LIST = """
import json, os
found = []
for name in os.listdir("/proc"):
    if not name.isdigit() or int(name) == os.getpid():
        continue
    try:
        lines = open(f"/proc/{name}/status").read().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        state = status["State"].strip()[0]
        descriptors = 0 if state == "Z" else len(os.listdir(f"/proc/{name}/fd"))
    except (FileNotFoundError, ProcessLookupError):
        continue
    except PermissionError:
        descriptors = -1
    rss = int(status.get("VmRSS", "0 kB").split()[0]) * 1024
    threads = int(status.get("Threads", "1"))
    found.append([int(name), int(status["PPid"]), state, descriptors, threads, rss])
print(json.dumps(found))
"""


@dataclass(frozen=True)
class ContainerProcess:
    """rss: resident memory in bytes. descriptors: open ones, -1 when they may not be seen."""

    pid: int
    parent: int
    state: str
    descriptors: int
    threads: int
    rss: int


def container_processes(container: Container) -> list[ContainerProcess]:
    return [ContainerProcess(*fields) for fields in json.loads(python(container, _LIST))]


def service_process(container: Container) -> ContainerProcess:
    """The child of PID 1; PID 1 is an init or the service's own reaper."""
    (found,) = (each for each in container_processes(container) if each.parent == 1)
    return found
