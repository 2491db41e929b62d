"""The plugin in a test run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inseam.testing.fake_engine import FakeEngine

TESTS = """
from inseam.testing import HARDENED, Image

def test_it_runs(start_image):
    service = start_image(Image("sha256:1234", "app"), HARDENED, init=True)
    assert service.image.name == "app"

def test_it_fails(start_image):
    start_image(Image("sha256:1234", "app"))
    assert False
"""


def run(
    tmp_path: Path, fake: FakeEngine, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """pytest, as `pytest -p inseam.testing`, where nothing but the fake is on PATH."""
    tests = tmp_path / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "it_test.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "inseam.testing", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-rs", "-W", "error", *arguments, "it_test.py"],
        cwd=tests,
        env={
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
            **fake.environment(),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def fake(tmp_path: Path) -> FakeEngine:
    fake = FakeEngine(tmp_path / "bin").install()
    fake.has_image("sha256:1234")
    fake.has_container()
    fake.answer("logs", stdout="what the service said\n")
    return fake


def test_containers_start_with_their_options_and_are_removed(
    tmp_path: Path, fake: FakeEngine
) -> None:
    done = run(tmp_path, fake, "-k", "runs")
    assert "1 passed" in done.stdout, done.stdout
    (options,) = fake.calls("run")
    assert {"--read-only", "--cap-drop=ALL", "--init"} <= set(options)
    assert len(fake.calls("rm")) == 1


def test_a_failure_shows_the_log_and_leaves_no_container(tmp_path: Path, fake: FakeEngine) -> None:
    done = run(tmp_path, fake, "-k", "fails")
    assert "1 failed" in done.stdout
    assert "Log of app" in done.stdout
    assert "what the service said" in done.stdout
    assert len(fake.calls("rm")) == 1


def test_without_an_engine_tests_are_skipped_with_the_reason(
    tmp_path: Path, fake: FakeEngine
) -> None:
    fake.answer("version", exit_code=1, stderr="nothing answers")
    done = run(tmp_path, fake)
    assert "2 skipped" in done.stdout
    assert "nothing answers; podman is not on PATH" in done.stdout


def test_without_an_engine_that_is_required_tests_are_errors(
    tmp_path: Path, fake: FakeEngine
) -> None:
    fake.answer("version", exit_code=1, stderr="nothing answers")
    done = run(tmp_path, fake, INSEAM_DOCKER="require")
    assert "2 errors" in done.stdout
    assert "INSEAM_DOCKER=require, but no container engine" in done.stdout
