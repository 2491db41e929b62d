"""The health of the containers, as the engine and the probe see it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from images.services import SERVICES
from images.waiting import eventually
from inseam.testing import HARDENED, Container, Engine, Image, Process, started


def test_the_engine_finds_each_healthy_by_the_intervals_of_its_image(
    container_engine: Engine, images: dict[str, Image]
) -> None:
    options = replace(HARDENED, health_interval=None)
    with ExitStack() as stack:
        containers = [
            stack.enter_context(started(container_engine, images[name], options))
            for name in SERVICES
        ]
        for container in containers:
            container.wait_healthy()
            if not container_engine.podman:
                # On a busy machine the first one may have taken too long.
                probe = container.inspect()["State"]["Health"]["Log"][-1]
                assert (probe["ExitCode"], probe["Output"]) == (0, "healthy: 200\n")


def test_the_probe_tells_healthy_from_not(container: Container) -> None:
    healthy = container.exec("/opt/venv/bin/healthcheck")
    assert (healthy.exit_code, healthy.stdout) == (0, "healthy: 200\n")
    refused = container.exec("/opt/venv/bin/healthcheck", "--port=1")
    assert (refused.exit_code, refused.stdout.split(":")[0]) == (1, "refused")
    status = container.exec("/opt/venv/bin/healthcheck", "--expect-status=204")
    assert (status.exit_code, status.stdout.split(":")[0]) == (1, "bad status")


def test_probes_leave_no_process(container: Container) -> None:
    def more() -> list[Process]:
        return [process for process in container.processes() if process.pid not in before]

    before = {process.pid for process in container.processes()}
    for _ in range(5):
        container.exec("/opt/venv/bin/healthcheck").checked()
    # At any one moment the engine's own probe may be running, or have just ended.
    eventually(more, [])
    eventually(lambda: [process for process in container.processes() if process.zombie], [])
