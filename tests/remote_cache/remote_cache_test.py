"""Machines that share a cache, and what becomes of a build when that cache fails."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from nested.report import Report
from remote_cache.buildgrid import Server, Unavailable, free_port, install, serving
from remote_cache.machines import EVERYTHING, LAYERS, machine, made
from remote_cache.wire import wire

# What a machine does for itself, whatever others did: docs/remote-cache.md says why.
OWN = ("Write ",)
DESCRIPTION = "src.python.service_000/app.layers/layers.json"


@dataclass(frozen=True)
class Build:
    """What a machine did and made."""

    report: Report
    made: dict[str, str]

    @property
    def processes(self) -> list[str]:
        """Those whose result this machine made, but for those that each machine runs."""
        return [text for text in self.report.processes if not text.startswith(OWN)]


slow = pytest.mark.skipif(
    "INSEAM_SLOW_TESTS" not in os.environ,
    reason="takes many minutes; INSEAM_SLOW_TESTS=1 runs it",
)


@pytest.fixture(scope="module")
def buildgrid() -> Path:
    try:
        return install()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def server(buildgrid: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(buildgrid, tmp_path_factory.mktemp("buildgrid")) as running:
        yield running


@pytest.fixture(scope="module")
def first(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """What the machine did that made everything, and put it into the cache."""
    with machine(tmp_path_factory.mktemp("first") / "repository", server.address) as one:
        return Build(one.reported(*EVERYTHING), made(one))


def assert_copes(build: Build, first: Build) -> None:
    """Asserts that the build came to the same layers, and said what was wrong with the cache,
    unless it was done before it knew."""
    assert build.made == {DESCRIPTION: first.made[DESCRIPTION]}
    warned = any("remote cache" in warning for warning in build.report.warnings)
    assert warned or build.report.counters["remote_cache_speculation_local_completed_first"] > 0


def build_layers(root: Path, address: str) -> Build:
    """Makes the layers of the service with FastAPI."""
    with machine(root, address) as one:
        return Build(one.reported(*LAYERS), made(one))


def test_the_first_machine_writes_all_that_it_makes(first: Build) -> None:
    counters = first.report.counters
    assert len(first.made) == 4
    assert counters["remote_cache_requests_cached"] == 0
    assert counters["remote_cache_write_errors"] == 0, first.report.warnings
    assert counters["remote_cache_write_successes"] >= len(first.processes) > 50


def test_a_machine_with_another_path_and_no_python_of_services_makes_nothing_again(
    server: Server, first: Build, tmp_path: Path
) -> None:
    none = str(tmp_path / "bin")
    with machine(tmp_path / "elsewhere/deeper/project", server.address, none) as second:
        build = Build(second.reported(*EVERYTHING), made(second))
    assert build.processes == []
    assert build.report.counters["remote_cache_requests_cached"] >= len(first.processes)
    assert build.report.counters["remote_cache_read_errors"] == 0
    assert build.made == first.made


@pytest.mark.parametrize(
    ("limit", "hangs"),
    [
        pytest.param(0, True, id="never answers"),
        pytest.param(1_000_000, False, id="dies"),
        pytest.param(1_000_000, True, id="falls silent"),
    ],
)
@slow
def test_a_cache_that_fails_while_it_is_read_does_no_harm(
    server: Server, first: Build, tmp_path: Path, limit: int, hangs: bool
) -> None:
    with wire(server.port, limit, hangs=hangs) as broken:
        build = build_layers(tmp_path / "repository", broken.address)
        assert broken.broken.is_set()
    assert_copes(build, first)


@slow
def test_an_address_where_nothing_listens_does_no_harm(first: Build, tmp_path: Path) -> None:
    build = build_layers(tmp_path / "repository", f"grpc://127.0.0.1:{free_port()}")
    assert_copes(build, first)


@slow
def test_a_server_that_is_killed_while_it_is_written_to_does_no_harm(
    buildgrid: Path, first: Build, tmp_path: Path
) -> None:
    with serving(buildgrid, tmp_path / "buildgrid") as doomed, ThreadPoolExecutor(1) as pool:
        building = pool.submit(build_layers, tmp_path / "repository", doomed.address)
        while len(doomed.blobs()) < 20 and not building.done():
            time.sleep(0.05)
        doomed.kill()
        build = building.result()
    assert build.report.counters["remote_cache_write_errors"] > 0
    assert_copes(build, first)


@pytest.mark.parametrize("damage", ["lost", "changed"])
@slow
def test_blobs_that_the_server_damaged_are_made_again(
    buildgrid: Path, first: Build, tmp_path: Path, damage: str
) -> None:
    with serving(buildgrid, tmp_path / "buildgrid") as own:
        build_layers(tmp_path / "one", own.address)
        for blob in own.blobs():
            if damage == "lost" and blob.stat().st_size > 100_000:
                blob.unlink()
            elif damage == "changed" and blob.stat().st_size > 10_000:
                blob.write_bytes(b"?" + blob.read_bytes()[1:])
        build = build_layers(tmp_path / "two", own.address)
    assert build.processes
    assert build.made == {DESCRIPTION: first.made[DESCRIPTION]}
