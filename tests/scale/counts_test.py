"""What a change costs in a monorepo, counted in processes.

The monorepo is built once; each test then changes something and asserts what is done again. As
starting Pants is what takes longest, one daemon does all of it. What it remembers could hide a key
of the cache that is another each time: the last test starts another daemon, which must find all
that the first one made.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
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
        # What is counted is what an empty cache lacks.
        self.checkout = Checkout(root, cold=True)
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


def test_one_service_edited_and_a_module_that_is_in_no_image(built: Built) -> None:
    before = built.layers()
    (built.repo.sources / "identity/unused.py").write_text("UNUSED = True\n")
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


def bump(built: Built, distribution: str) -> str:
    """Locks another version of a distribution; gives the name of its wheel."""
    pin = bumps()[distribution]
    built.repo.bump(pin)
    return pin.url.rsplit("/", 1)[-1]


def test_a_small_and_a_large_wheel_bumped_which_no_service_has_both_of(built: Built) -> None:
    """Each costs a wheel, a layer with that wheel, and a comparison of each set of layers that the
    layer is one of: its users' code is not compiled again, and no process makes their images."""
    web, tables = built.repo.users_of("click"), built.repo.users_of("numpy")
    assert len(web) > 0
    assert len(tables) > 0
    assert not set(web) & set(tables)
    before = built.layers()
    click, numpy = bump(built, "click"), bump(built, "numpy")
    report = built.package()
    assert making(report) == [
        "Compare the layers numpy, deps",
        "Compare the layers numpy, pandas, pyarrow, deps",
        "Compress the layer deps",
        "Compress the layer numpy",
        f"Fetch {click}",
        f"Fetch {numpy}",
        f"Install {click}",
        f"Install {numpy}",
        "Merge 1 wheels into the layer numpy",
        "Merge 11 wheels into the layer deps",
    ]
    users = [service.name for service in (*web, *tables)]
    assert writing(report) <= {f"Write src.python.{user}/app.oci" for user in users}
    assert changed(before, built.layers()) == {
        *((service.name, "deps") for service in web),
        *((service.name, "numpy") for service in tables),
    }


def test_a_daemon_finds_what_another_made_and_with_nothing_to_do_asks_for_no_image(
    built: Built,
) -> None:
    built.checkout.stop(signal.SIGKILL)
    first, again = built.package(), built.package()
    assert first.processes == again.processes == []
    assert first.ran("Make an image") == COUNT
    assert again.ran("Make an image") == 0
