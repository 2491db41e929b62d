from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.deb_testing import Mirror, locked, publish, serving, verify_nothing
from inseam.formats.debian.index import Index, IndexEntry
from inseam.formats.debian.lock import parse_lock
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.request import Request
from inseam.programs.__main__ import run
from inseam.programs.lock_debs import make_lock


def entry(name: str, version: str = "1", depends: str = "") -> IndexEntry:
    path = f"pool/main/{name}_{version}.deb"
    package = DebianPackage(name, version, "amd64", "debian", path, 1, "0" * 64)
    return IndexEntry(package, depends)


def index(*entries: IndexEntry) -> Index:
    return Index({"amd64": entries}, ())


REQUEST = Request("bookworm", ("amd64",), {"base": ("app",)})


def names(request: Request, *entries: IndexEntry) -> dict[str, tuple[str, ...]]:
    lock = make_lock(request, index(*entries))
    return {locked.package.name: locked.groups for locked in lock.packages["amd64"]}


def test_the_newest_version_of_all_suites_is_locked() -> None:
    entries = [entry("app", "1-1"), entry("app", "1-1+deb12u2"), entry("app", "1-1+deb12u1")]
    lock = make_lock(REQUEST, index(*entries))
    assert [locked.package.version for locked in lock.packages["amd64"]] == ["1-1+deb12u2"]


def test_a_group_has_what_the_base_lacks() -> None:
    request = replace(REQUEST, groups={"base": ("app",), "debug": ("sh",), "init": ("tini",)})
    entries = [
        entry("app", depends="libc6"),
        entry("libc6"),
        entry("sh", depends="libc6, common"),
        entry("tini", depends="common"),
        entry("common"),
    ]
    assert names(request, *entries) == {
        "app": ("base",),
        "common": ("debug", "init"),
        "libc6": ("base",),
        "sh": ("debug",),
        "tini": ("init",),
    }


def test_an_omission_that_nothing_needs_is_no_error_but_reported(
    capfd: pytest.CaptureFixture[str],
) -> None:
    request = replace(REQUEST, omit={"debconf": "asks", "perl": "why not"})
    assert names(request, entry("app", depends="debconf"), entry("debconf")) == {"app": ("base",)}
    assert "can do without perl depends on it" in capfd.readouterr().err


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)
    with serving() as found:
        monkeypatch.setenv("DEBIAN_MIRROR", found.url)
        yield found


LIST = "[release]\nname = bookworm\narchitectures = amd64\n[base]\nhello\n"


def lock(tmp_path: Path, text: str = LIST, *more: str) -> int:
    (tmp_path / "packages.ini").write_text(text)
    paths = (f"--packages={tmp_path}/packages.ini", f"--output={tmp_path}/lock.json")
    return run(["lock_debs", *paths, *more])


def test_locking_twice_gives_the_same_bytes(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inseam.formats.debian.release.verify_inrelease", verify_nothing)
    publish(mirror.files, [locked(b"hello"), locked(b"other", name="other")], "bookworm")
    assert lock(tmp_path) == 0
    first = (tmp_path / "lock.json").read_bytes()
    assert lock(tmp_path) == 0
    assert (tmp_path / "lock.json").read_bytes() == first
    assert mirror.url.encode() not in first
    made = parse_lock(first.decode())
    assert made.snapshot == "20240101T060000Z"
    (package,) = made.select("amd64")
    assert package == locked(b"hello")


def test_a_failure_leaves_the_old_lock_alone(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lock.json").write_text("old")
    assert lock(tmp_path) == 1
    assert (tmp_path / "lock.json").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock.json", "packages.ini"]
    assert "no mirror serves the suite bookworm" in capfd.readouterr().err


def test_a_list_that_cannot_be_read_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert lock(tmp_path, "[base]\n") == 1
    assert "packages.ini" in capfd.readouterr().err
    assert run(["lock_debs", f"--packages={tmp_path}/none", f"--output={tmp_path}/lock.json"]) == 1


def test_an_index_older_than_that_of_the_lock_is_refused(
    tmp_path: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("inseam.formats.debian.release.verify_inrelease", verify_nothing)
    publish(mirror.files, [locked(b"hello")], "bookworm")
    assert lock(tmp_path) == 0
    path = tmp_path / "lock.json"
    before = tmp_path / "before.json"
    before.write_text(path.read_text().replace("2024-01-01", "2024-01-02"))
    assert lock(tmp_path, LIST, f"--before={before}", "--allow-expired") == 1
    assert "this mirror is behind" in capfd.readouterr().err
    # Of another release it says nothing, and locking again fixes one that cannot be read.
    before.write_text(before.read_text().replace('"bookworm"', '"trixie"'))
    assert lock(tmp_path, LIST, f"--before={before}") == 0
    before.write_text("{}")
    assert lock(tmp_path, LIST, f"--before={before}") == 0
    assert "is not compared with" in capfd.readouterr().err
