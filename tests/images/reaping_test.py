"""PID 1 of a container: orphans that end are reaped, with and without an init."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from images.processes import container_processes, service_process
from images.services import PYTHON, SERVICES, ask, python
from images.waiting import eventually
from inseam.testing import HARDENED, Container

# Leaves a process behind whose parent has ended, and tells its number.
ORPHAN = """
import os, time
if os.fork() == 0:
    orphan = os.fork()
    if orphan == 0:
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in 0, 1, 2:
            os.dup2(null, descriptor)
        time.sleep(600)
        os._exit(0)
    os.write(1, str(orphan).encode())
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("init", [False, True], ids=["alone", "init"])
@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_orphan_is_reaped(
    start_image: Callable[..., Container], name: str, init: bool
) -> None:
    container = start_image(f"src/python/{name}:app", HARDENED, init=init)
    container.wait_healthy()
    orphans = [int(python(container, ORPHAN)) for _ in range(3)]
    adopted = {each.pid: each for each in container_processes(container)}
    assert [adopted[orphan].parent for orphan in orphans] == [1, 1, 1]
    python(container, f"import os; [os.kill(pid, 9) for pid in {orphans}]")
    eventually(lambda: {each.pid for each in container_processes(container)} & {*orphans}, set())
    eventually(lambda: [each for each in container.processes() if each.zombie], [])
    assert ask(container, "/health").status == 200
    container.assert_stops(0)


@pytest.mark.parametrize("init", [False, True], ids=["alone", "init"])
def test_a_killed_service_ends_the_container_with_its_signal(
    start_image: Callable[..., Container], init: bool
) -> None:
    container = start_image("src/python/service:app", HARDENED, init=init)
    container.wait_healthy()
    kill = f"import os; os.kill({service_process(container).pid}, 9)"
    container.exec(PYTHON, "-c", kill)  # which may not live to tell
    assert container.wait() == 128 + 9
