"""A pytest plugin that tests running container images: `pytest_plugins = ["inseam.testing"]`.

Needs pytest 7 or newer, CPython 3.9 or newer, and Docker or Podman:

    from inseam.testing import HARDENED

    def test_it_greets_and_stops(start_image):
        service = start_image("src/python/service:app", HARDENED)
        service.wait_healthy()
        assert urlopen(service.base_url).read() == b"Hello"
        service.assert_stops()

The image is one of the test's `runtime_package_dependencies`. Pants builds it before the test, and
does not run the test again while the image's ID stays the same.
"""

from inseam.testing.completed import Completed, EngineError
from inseam.testing.container import Container, NotHealthy, started
from inseam.testing.engine import Engine, NoEngine, find_engine
from inseam.testing.fixtures import (
    container_engine,
    find_image,
    pytest_runtest_makereport,
    start_image,
)
from inseam.testing.image import Image, ImageNotFound
from inseam.testing.options import HARDENED, RunOptions
from inseam.testing.process import Process
from inseam.testing.stats import Stats

__all__ = [
    "HARDENED",
    "Completed",
    "Container",
    "Engine",
    "EngineError",
    "Image",
    "ImageNotFound",
    "NoEngine",
    "NotHealthy",
    "Process",
    "RunOptions",
    "Stats",
    "container_engine",
    "find_engine",
    "find_image",
    "pytest_runtest_makereport",
    "start_image",
    "started",
]
