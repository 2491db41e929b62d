"""The three services, running hardened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from images.services import SERVICES
from inseam.testing import HARDENED, Container, Engine, Image, started
from inseam.testing.image import find

pytest_plugins = ["inseam.testing"]


@pytest.fixture(scope="session")
def images() -> dict[str, Image]:
    return {name: find(f"src/python/{name}:app") for name in SERVICES}


@pytest.fixture(scope="session")
def containers(
    container_engine: Engine, images: dict[str, Image]
) -> Iterator[dict[str, Container]]:
    """Healthy containers of all three, which started at the same time."""
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(started(container_engine, image, HARDENED))
            for name, image in images.items()
        }
        for container in found.values():
            container.wait_healthy()
        yield found


@pytest.fixture(params=SERVICES)
def image(request: Any, images: dict[str, Image]) -> Image:
    return images[request.param]


@pytest.fixture(params=SERVICES)
def container(request: Any, containers: dict[str, Container]) -> Container:
    return containers[request.param]
