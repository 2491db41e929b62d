"""Moves repositories of several shapes to images, with a lock of their own, and starts these.

They take minutes each, and the package index: INSEAM_SLOW_TESTS=1 runs them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from adoption.repository import Repository, pants_toml
from adoption.shapes import SHAPES, Shape

TOOLS = ("pants.backend.python.lint.black", "pants.backend.python.typecheck.mypy")

pytestmark = pytest.mark.skipif(
    "INSEAM_SLOW_TESTS" not in os.environ,
    reason="takes many minutes; INSEAM_SLOW_TESTS=1 runs it",
)


@pytest.fixture(params=SHAPES, ids=str)
def shape(request: Any) -> Shape:
    return SHAPES[request.param]


@pytest.fixture
def repository(shape: Shape, tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path, {**shape.files, "pants.toml": pants_toml(shape.toml, *TOOLS)})
    yield made
    made.remove()


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answer(url: str) -> str:
    for _ in range(300):
        try:
            with urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


def _health(container: str) -> str:
    """The health of a container, after its first check: that is due after ten seconds."""
    argv = ["docker", "inspect", "--format={{.State.Health.Status}}", container]
    for _ in range(300):
        status = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
        if status != "starting":
            return status
        time.sleep(0.1)
    raise AssertionError("no check of the health has ended")


def test_a_repository_gets_an_image_that_answers(repository: Repository, shape: Shape) -> None:
    before = repository.files()
    repository.pants("tailor", "::")
    if "resolves" in shape.toml:
        repository.pants("generate-lockfiles")
    folder = shape.service.partition(":")[0].strip("/")
    build = repository.root / folder / "BUILD"
    text = build.read_text()
    assert "python_service(" in text
    build.write_text(re.sub(r"(python_service\([^)]*)", rf"\1    {shape.fields}\n", text))
    repository.pants("lint", "check", "test", "package", "::")
    after = repository.files()
    kept = [path for path in before if not path.endswith("BUILD")]
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    (layout,) = (repository.root / "dist").rglob("app.oci")
    assert json.loads((layout / "image.json").read_text())["references"]
    if shutil.which("docker") is None or subprocess.call(["docker", "version"]) != 0:
        pytest.skip("the image was made; without Docker it is not started")
    port, name = _free_port(), f"inseam-adoption-{os.getpid()}"
    options = ["--read-only", "--detach", f"--name={name}", f"--publish=127.0.0.1:{port}:8000"]
    repository.pants("run", shape.service, "--", *options)
    try:
        assert shape.answer in _answer(f"http://127.0.0.1:{port}{shape.path}")
        if "healthcheck_path" in text:
            assert _health(name) == "healthy"
    finally:
        logs = subprocess.run(["docker", "logs", name], capture_output=True, check=False)
        print(logs.stdout.decode(), logs.stderr.decode())
        subprocess.run(["docker", "rm", "--force", name], check=True)
