"""What a change costs in a monorepo, counted in processes.

The monorepo is built once; each test then changes one thing and asserts what is done anew. No
daemon runs and Pants remembers nothing, so that all that is saved is saved by the cache's keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nested.checkout import Checkout
from nested.report import Report
from scale.monorepo import LIBRARIES, Monorepo, bumps, generate

COUNT = 8
# What compresses the layers, out of the rule set's own lock.
COMPRESSORS = ("Fetch deflate-", "Fetch zstandard-")
PACKAGE = ("--filter-target-type=_venv_layers,oci_image", "package", "::")


class Built:
    """A generated monorepo whose layers are built, with what that took."""

    def __init__(self, root: Path) -> None:
        self.repo: Monorepo = generate(root, COUNT, origin=Path.cwd())
        self.checkout = Checkout(root)
        self.first = self.package()

    def package(self) -> Report:
        """Builds the layers of all services."""
        return self.checkout.reported(*PACKAGE)

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
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    made = Built(tmp_path_factory.mktemp("scale") / "repo")
    yield made
    made.checkout.remove()


def code_in(*packages: str) -> list[str]:
    """What lays out first-party packages, for images with a daemon and for those without."""
    return [f"Compile the code in {package}" for package in packages]


def writing(report: Report) -> set[str]:
    """What was written to `dist` by processes of their own. How many of the images that share a
    new blob take part in that depends on which is first."""
    return {text for text in report.processes if text.startswith("Write ")}


def making(report: Report) -> list[str]:
    """The other processes."""
    return [text for text in report.processes if text not in writing(report)]


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[tuple[str, str]]:
    """The layers whose bytes differ, as (service, layer)."""
    return {
        (service, new["name"])
        for service in before
        for old, new in zip(before[service], after[service])
        if old["diff_id"] != new["diff_id"]
    }


def test_each_wheel_is_fetched_and_compiled_once_for_all_services(built: Built) -> None:
    pins = {pin for service in built.repo.services for pin in built.repo.pins(service)}
    wheels = sorted(pin.url.rsplit("/", 1)[-1] for pin in pins)
    assert len(wheels) == 17
    processes = built.first.processes
    fetched = [text for text in processes if text.startswith("Fetch ") and ".whl" in text]
    assert [text for text in fetched if not text.startswith(COMPRESSORS)] == [
        f"Fetch {wheel}" for wheel in wheels
    ]
    assert len(fetched) == len(wheels) + len(COMPRESSORS)
    assert [text for text in processes if text.startswith("Install ") and ".whl" in text] == [
        f"Install {wheel}" for wheel in wheels
    ]


def test_services_with_the_same_requirements_share_layers(built: Built) -> None:
    merges = [text for text in built.first.processes if text.startswith("Merge ")]
    assert merges == [
        "Merge 0 wheels into the layer deps",
        "Merge 1 wheels into the layer numpy",
        "Merge 1 wheels into the layer pandas",
        "Merge 1 wheels into the layer pyarrow",
        "Merge 11 wheels into the layer deps",
        "Merge 3 wheels into the layer deps",
        "Merge 4 wheels into the layer deps",
    ]
    compressed = [text for text in built.first.processes if text.startswith("Compress ")]
    assert compressed == [
        *["Compress the layer deps"] * 4,
        *(f"Compress the layer {name}" for name in ("numpy", "pandas", "pyarrow", "rootfs")),
    ]


def test_each_package_is_compiled_once_for_all_services(built: Built) -> None:
    names = [service.name for service in built.repo.services]
    compiled = [text for text in built.first.processes if text.startswith("Compile the code ")]
    assert compiled == code_in(*sorted([*LIBRARIES, *names]))


def test_nothing_that_is_in_an_image_changed(built: Built) -> None:
    (built.repo.sources / "identity/unused.py").write_text("UNUSED = True\n")
    assert built.package().processes == []


def test_one_service_edited(built: Built) -> None:
    before = built.layers()
    built.repo.edit("service_001")
    assert built.package().processes == code_in("service_001")
    assert changed(before, built.layers()) == {("service_001", "app")}


def test_a_library_of_half_of_the_services_edited_and_an_edit_taken_back(built: Built) -> None:
    users = [service.name for service in built.repo.users("identity")]
    assert len(users) == COUNT / 2
    assert "service_001" not in users
    before = built.layers()
    built.repo.take_back("service_001")
    built.repo.edit("identity")
    assert built.package().processes == code_in("identity")
    libraries = {(user, "libs") for user in users}
    assert changed(before, built.layers()) == {*libraries, ("service_001", "app")}


def test_one_small_wheel_bumped(built: Built) -> None:
    assert_bumped(built, "click", "deps", wheels=11)


def test_one_large_wheel_bumped(built: Built) -> None:
    compared = ("numpy, deps", "numpy, pandas, pyarrow, deps")
    assert_bumped(built, "numpy", "numpy", wheels=1, compared=compared)


def assert_bumped(
    built: Built, distribution: str, layer: str, wheels: int, compared: tuple[str, ...] = ()
) -> None:
    """Asserts that a new version costs one wheel, one layer of that many wheels, and a comparison
    of each set of layers that it is one of: its users' code is not laid out anew, and no process
    makes their images."""
    users = [service.name for service in built.repo.users_of(distribution)]
    assert 0 < len(users) < COUNT
    pin = bumps()[distribution]
    wheel = pin.url.rsplit("/", 1)[-1]
    before = built.layers()
    built.repo.bump(pin)
    report = built.package()
    assert making(report) == [
        *(f"Compare the layers {layers}" for layers in compared),
        f"Compress the layer {layer}",
        f"Fetch {wheel}",
        f"Install {wheel}",
        f"Merge {wheels} wheels into the layer {layer}",
    ]
    assert writing(report) <= {f"Write src.python.{user}/app.oci" for user in users}
    assert changed(before, built.layers()) == {(user, layer) for user in users}


def test_a_daemon_that_has_nothing_to_do_asks_for_no_image(built: Built) -> None:
    checkout = replace(built.checkout, daemon=True)
    first, again = (checkout.reported(*PACKAGE) for _ in range(2))
    checkout.stop()
    assert first.processes == again.processes == []
    assert first.ran("Make an image") == COUNT
    assert again.ran("Make an image") == 0
