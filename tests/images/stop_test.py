"""The end of a service: by SIGTERM, with and without an init."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from images.services import SERVICES
from inseam.testing import HARDENED, Container

# Seconds, after which the engine kills it and the exit code is 137: fewer than SHUTDOWN_TIMEOUT, so
# that a service without requests waits for nothing, and enough for a busy machine.
WITHIN = 8


@pytest.mark.parametrize("init", [False, True], ids=["alone", "init"])
def test_sigterm_ends_each_with_zero(start_image: Callable[..., Container], init: bool) -> None:
    containers = [start_image(f"src/python/{name}:app", HARDENED, init=init) for name in SERVICES]
    for container in containers:
        container.wait_healthy()
    for container in containers:
        container.assert_stops(0, timeout=WITHIN)
