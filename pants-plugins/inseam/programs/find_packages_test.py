from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.deb_testing import Mirror, locked, publish, serving, verify_nothing
from inseam.programs.__main__ import run

COMMAND = ["find_packages", "--release=bookworm", "--architecture=amd64"]


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)
    with serving() as found:
        monkeypatch.setenv("DEBIAN_MIRROR", found.url)
        yield found


def test_the_index_names_the_packages_of_libraries(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inseam.formats.debian.release.verify_inrelease", verify_nothing)
    packages = [locked(b"x", name=name) for name in ("libgomp1", "libgomp2", "libpq5t64")]
    publish(mirror.files, packages, "bookworm")
    libraries = ["libgomp.so.1", "libpq.so.5", "libnone.so.1", "odd.so"]
    assert run([*COMMAND, f"--out={tmp_path}", *libraries]) == 0
    found = json.loads((tmp_path / "packages.json").read_text())
    assert found == {"libgomp.so.1": "libgomp1", "libpq.so.5": "libpq5t64"}


def test_an_index_that_nobody_signed_is_refused(tmp_path: Path, mirror: Mirror) -> None:
    publish(mirror.files, [locked(b"x", name="libgomp1")], "bookworm")
    assert run([*COMMAND, f"--out={tmp_path}", "libgomp.so.1"]) == 1
    assert not list(tmp_path.iterdir())
