"""The end of a service: by SIGTERM, with and without an init."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from images.services import SERVICES
from inseam.testing import HARDENED, Container, Engine, Image, RunOptions, started

WITHIN = 2  # seconds, after which the engine kills it and the exit code is 137


@pytest.mark.parametrize("init", [False, True], ids=["alone", "init"])
def test_sigterm_ends_each_with_zero(
    start_image: Callable[..., Container], init: bool
) -> None:
    containers = [start_image(f"src/python/{name}:app", HARDENED, init=init) for name in SERVICES]
    for container in containers:
        container.wait_healthy()
    for container in containers:
        container.assert_stops(0, timeout=WITHIN)


@pytest.mark.parametrize("init", [False, True], ids=["alone", "init"])
@pytest.mark.parametrize("name", SERVICES)
def test_sigterm_during_start_up_ends_it_with_zero(
    container_engine: Engine, images: dict[str, Image], name: str, init: bool
) -> None:
    codes = []
    for delay in (0.0, 0.1, 0.3):
        with started(container_engine, images[name], RunOptions(init=init)) as container:
            time.sleep(delay)
            codes.append(container.stop(timeout=WITHIN))
    assert codes == [0, 0, 0]
