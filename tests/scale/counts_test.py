"""What a change costs in a monorepo, counted in processes.

The monorepo is built once; each test then changes one thing and asserts what is done anew. No
daemon runs and Pants remembers nothing, so that all that is saved is saved by the cache's keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nested.checkout import Checkout
from nested.log import Log
from scale.monorepo import Monorepo, bumps, generate

COUNT = 8
PACKAGE = ("--filter-target-type=_venv_layers", "package", "::")


class Built:
    """A generated monorepo whose layers are built, with what that took."""

    def __init__(self, root: Path) -> None:
        self.repo: Monorepo = generate(root, COUNT, origin=Path.cwd())
        self.checkout = Checkout(root)
        self.first = self.package()

    def package(self) -> Log:
        """Builds the layers of all services."""
        return self.checkout.logged(*PACKAGE)

    def layers(self) -> dict[str, list[dict[str, Any]]]:
        """The layers of each service, lowest first."""
        return {
            service.name: json.loads(
                (
                    self.checkout.root / f"dist/src.python.{service.name}/app.layers/layers.json"
                ).read_text()
            )
            for service in self.repo.services
        }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(tmp_path_factory.mktemp("scale") / "repo")


def code_of(*services: str) -> list[str]:
    return [f"Lay out the code of src/python/{service}:app" for service in services]


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[tuple[str, str]]:
    """The layers whose bytes differ, as (service, layer)."""
    return {
        (service, new["name"])
        for service in before
        for old, new in zip(before[service], after[service])
        if old["diff_id"] != new["diff_id"]
    }


def test_each_wheel_is_fetched_and_laid_out_once_for_all_services(built: Built) -> None:
    pins = {pin for service in built.repo.services for pin in built.repo.pins(service)}
    wheels = sorted(pin.url.rsplit("/", 1)[-1] for pin in pins)
    assert len(wheels) == 17
    processes = built.first.processes
    assert [text for text in processes if text.startswith("Fetch ")] == [
        f"Fetch {wheel}" for wheel in wheels
    ]
    assert [text for text in processes if text.endswith(".whl") and "Lay out" in text] == [
        f"Lay out {wheel}" for wheel in wheels
    ]


def test_services_with_the_same_requirements_share_a_join(built: Built) -> None:
    joins = [text for text in built.first.processes if text.startswith("Join ")]
    assert joins == [
        "Join the layer deps of 0 wheels",
        "Join the layer deps of 11 wheels",
        "Join the layer deps of 3 wheels",
        "Join the layer deps of 4 wheels",
        "Join the layer numpy of 1 wheels",
        "Join the layer pandas of 1 wheels",
        "Join the layer pyarrow of 1 wheels",
    ]


def test_the_first_build_runs_nothing_else(built: Built) -> None:
    code = [text for text in built.first.processes if "the code of" in text]
    assert code == code_of(*(service.name for service in built.repo.services))
    assert len(built.first.processes) == 17 + 17 + 7 + COUNT
    # Two more look for the interpreter.
    assert built.first.counters["local_execution_requests"] == len(built.first.processes) + 2


def test_nothing_that_is_in_an_image_changed(built: Built) -> None:
    (built.repo.sources / "identity/unused.py").write_text("UNUSED = True\n")
    assert built.package().processes == []


def test_one_service_edited(built: Built) -> None:
    before = built.layers()
    built.repo.edit("service_001")
    assert built.package().processes == code_of("service_001")
    assert changed(before, built.layers()) == {("service_001", "app")}


def test_a_library_of_half_of_the_services_edited_and_an_edit_taken_back(built: Built) -> None:
    users = [service.name for service in built.repo.users("identity")]
    assert len(users) == COUNT / 2
    assert "service_001" not in users
    before = built.layers()
    built.repo.take_back("service_001")
    built.repo.edit("identity")
    assert built.package().processes == code_of(*users)
    apps = {(user, "app") for user in (*users, "service_001")}
    assert changed(before, built.layers()) == apps


def test_one_small_wheel_bumped(built: Built) -> None:
    users = [service.name for service in built.repo.users_of("click")]
    assert 0 < len(users) < COUNT
    before = built.layers()
    built.repo.bump(bumps()["click"])
    assert built.package().processes == [
        "Fetch click-8.1.7-py3-none-any.whl",
        "Join the layer deps of 11 wheels",
        "Lay out click-8.1.7-py3-none-any.whl",
        *code_of(*users),
    ]
    assert changed(before, built.layers()) == {(user, "deps") for user in users}


def test_one_large_wheel_bumped(built: Built) -> None:
    users = [service.name for service in built.repo.users_of("numpy")]
    assert 0 < len(users) < COUNT
    before = built.layers()
    built.repo.bump(bumps()["numpy"])
    wheel = bumps()["numpy"].url.rsplit("/", 1)[-1]
    assert built.package().processes == [
        f"Fetch {wheel}",
        "Join the layer numpy of 1 wheels",
        f"Lay out {wheel}",
        *code_of(*users),
    ]
    assert changed(before, built.layers()) == {(user, "numpy") for user in users}
