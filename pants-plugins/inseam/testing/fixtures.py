"""The fixtures of the plugin: an engine, images by address, containers that are removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Callable

import pytest

from inseam.testing import container
from inseam.testing.container import Container, started
from inseam.testing.engine import Engine, NoEngine, find_engine
from inseam.testing.image import Image, find
from inseam.testing.options import RunOptions


@pytest.fixture(scope="session")
def container_engine() -> Engine:
    """Docker or Podman. Skips the test if neither responds, unless INSEAM_DOCKER=require."""
    try:
        return find_engine()
    except NoEngine as error:
        if os.environ.get("INSEAM_DOCKER") == "require":
            pytest.fail(f"INSEAM_DOCKER=require, but {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def find_image(container_engine: Engine) -> Callable[[str], Image]:
    """Finds an image by its target's address: `find_image("src/python/service:app")`."""
    return find


@pytest.fixture
def start_image(container_engine: Engine) -> Iterator[Callable[..., Container]]:
    """Starts images; their containers are removed when the test ends, however it ends.

    `start_image(image, options, **fields)` takes an address or an `Image`, `RunOptions`, and fields
    that override it: `start_image("src/python/service:app", HARDENED, init=True)`. For a container
    that several tests share, use `inseam.testing.started` in a fixture with a wider scope.
    """
    with ExitStack() as stack:

        def start(
            image: Image | str, options: RunOptions | None = None, **fields: Any
        ) -> Container:
            found = find(image) if isinstance(image, str) else image
            chosen = replace(options or RunOptions(), **fields)
            return stack.enter_context(started(container_engine, found, chosen))

        yield start


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc, unused-ignore]
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Adds the last lines of running containers' logs to the report of a failed test."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for each in container.running:
            logs = each.engine.run("logs", "--tail=50", each.name)
            lines = (logs.stdout + logs.stderr).splitlines()
            shown = "\n".join(line[:2000] for line in lines)
            report.sections.append((f"Log of {each.image}", shown))
