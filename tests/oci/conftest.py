"""Registries, engines and tools that the tests here use, if this machine has them."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Iterator

import pytest

from oci.proxy import Proxy, in_front_of
from oci.registry import Registry, running
from oci.tiny import ARCHITECTURE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these tests compress layers."""
    for module in ("deflate", "zstandard"):
        if find_spec(module) is None:
            skip = pytest.mark.skip(reason=f"the distribution {module} is not installed")
            for item in items:
                item.add_marker(skip)


def _tool(name: str, package: str = "") -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on PATH (Debian package {package or name})")
    return path


@pytest.fixture(scope="session")
def skopeo() -> str:
    return _tool("skopeo")


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    program = _tool("docker-registry")
    with running(program, tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def proxy(registry: Registry, skopeo: str) -> Iterator[Proxy]:
    with in_front_of(registry) as proxy:
        yield proxy


def _engine(name: str, *check: str) -> str:
    program = _tool(name)
    if not ARCHITECTURE:
        pytest.skip("no program for this machine's processor")
    result = subprocess.run([program, *check], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.skip(f"{name} does not work here: {result.stderr.strip()[-200:]}")
    return name


@pytest.fixture(scope="session")
def docker() -> str:
    return _engine("docker", "info")


@pytest.fixture(scope="session")
def podman() -> str:
    return _engine("podman", "info")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose path has what paths may have."""
    path = tmp_path / "a b:c"
    path.mkdir()
    return path
