"""Layers made by remote workers: the bytes are those that this machine makes."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from nested.checkout import Checkout
from nested.report import Report
from remote_cache.buildgrid import Unavailable, free_port
from remote_cache.buildgrid import install as install_buildgrid
from remote_execution import worker as workers
from remote_execution.service import Service, executing, postgres
from scale.monorepo import generate

pytestmark = pytest.mark.skipif(
    "INSEAM_SLOW_TESTS" not in os.environ,
    reason="takes many minutes; INSEAM_SLOW_TESTS=1 runs it",
)

SERVICES = 2  # one with FastAPI, one without any requirement
IMAGES = ("--filter-target-type=oci_image", "package", "::")
# Only what Inseam sends to workers runs there; Pants itself stays on this machine.
HERE = "--environments-preview-names={'local': '//:local'}"


@dataclass(frozen=True)
class Machine:
    """What the tests share: the environment with BuildGrid, and the root of workers."""

    buildgrid: Path
    root: Path


@pytest.fixture(scope="module")
def machine() -> Machine:
    try:
        postgres()
        return Machine(install_buildgrid(), workers.install())
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def service(machine: Machine, tmp_path: Path) -> Iterator[Service]:
    with executing(machine.buildgrid, tmp_path / "service") as running:
        yield running


def repository(root: Path) -> Checkout:
    """A repository with nothing in its caches."""
    generate(root, SERVICES, origin=Path.cwd())
    (root / "BUILD").write_text('local_environment(name="local")\n')
    return Checkout(root, cold=True, daemon=False)


def images(checkout: Checkout) -> dict[str, str]:
    """The description of each image that was made."""
    found = (checkout.root / "dist").glob("*/app.oci/image.json")
    return {path.parent.parent.name: path.read_text() for path in found}


def remote(report: Report) -> list[str]:
    """The descriptions of the processes that ran on workers."""
    definitions = [
        json.loads(unit["definition"])
        for unit in report.workunits
        if unit["name"] == "process" and unit.get("source") == "Ran"
    ]
    return sorted(
        one["description"]
        for one in definitions
        if isinstance(one["execution_environment"]["strategy"], dict)
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What this machine makes by itself."""
    checkout = repository(tmp_path_factory.mktemp("local") / "repository")
    try:
        checkout.pants(HERE, *IMAGES)
        return images(checkout)
    finally:
        checkout.remove()


def test_workers_with_nothing_make_the_same_images(
    machine: Machine, service: Service, expected: dict[str, str], tmp_path: Path
) -> None:
    checkout = repository(tmp_path / "repository")
    try:
        with ExitStack() as stack:
            for name in ("one", "two"):
                work = workers.working(machine.root, service, tmp_path, name)
                stack.enter_context(work)
            report = checkout.reported(HERE, *service.options, *IMAGES)
            assert images(checkout) == expected
            ran = remote(report)
            assert report.counters["remote_execution_success"] == len(ran) > 15
            assert {text.split()[0] for text in ran} == {"Compile", "Compress", "Install", "Merge"}
            here = set(report.processes) - set(ran)
            assert {text.split()[0] for text in here} == {"Fetch", "Take", "Unpack", "Write"}
            # What the server lost is made again.
            service.lose_blobs()
            shutil.rmtree(checkout.root / "dist")
            again = checkout.reported(HERE, *service.options, *IMAGES)
            assert images(checkout) == expected
            assert again.counters["remote_execution_success"] > 0
    finally:
        checkout.remove()


def test_what_a_killed_worker_ran_is_run_by_another(
    machine: Machine, service: Service, expected: dict[str, str], tmp_path: Path
) -> None:
    checkout = repository(tmp_path / "repository")
    try:
        with (
            workers.working(machine.root, service, tmp_path, "doomed") as doomed,
            workers.working(machine.root, service, tmp_path, "other"),
            ThreadPoolExecutor(1) as pool,
        ):
            options = (HERE, *service.options, *IMAGES)
            building = pool.submit(checkout.reported, *options)
            while doomed.log.read_text().count("Action output size") < 3 and not building.done():
                time.sleep(0.05)
            assert not building.done()
            doomed.kill()
            building.result()
        assert images(checkout) == expected
    finally:
        checkout.remove()


def test_a_service_that_nothing_answers_for_is_an_error(tmp_path: Path) -> None:
    port = free_port()
    nowhere = Service(port, port, tmp_path)
    checkout = repository(tmp_path / "repository")
    try:
        package = ("package", "src/python/service_001:app#oci")
        result = checkout.pants(HERE, *nowhere.options, *package, check=False)
        assert result.returncode != 0
        # As Pants 2.17, and as newer versions say it.
        assert re.search(r"Connection refused|client error \(Connect\)", result.stderr)
    finally:
        checkout.remove()
