"""A checkout whose images are shared by the tests of Pants' goals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Iterator

import pytest

from nested.checkout import Checkout, checkout
from oci.registry import Registry, running


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose Docker configuration has no credentials."""
    root = tmp_path_factory.mktemp("goals")
    made = checkout(root / "repository", {"DOCKER_CONFIG": str(root / "docker")})
    yield made
    made.remove()


def image(repository: Checkout, service: str = "catalog") -> dict[str, Any]:
    """`image.json` of a service, from `dist`."""
    path = repository.root / f"dist/src.python.{service}/app.oci/image.json"
    metadata: dict[str, Any] = json.loads(path.read_text())
    return metadata


def default(registry: Registry) -> str:
    """The option that makes a registry Pants' default."""
    return f"--docker-registries={{'here': {{'address': '{registry.host}', 'default': True}}}}"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An empty registry, ended with the test."""
    program = shutil.which("docker-registry")
    if program is None or shutil.which("skopeo") is None:
        pytest.skip("needs docker-registry and skopeo (Debian: apt-get install)")
    with running(program, tmp_path) as made:
        yield made
