from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb_testing import Mirror, locked, publish, serving, verify_nothing
from inseam.formats.debian.index import IndexEntry
from inseam.formats.debian.lock import Request, parse_lock
from inseam.programs.__main__ import run
from inseam.programs.lock_debs import make_lock


def entry(name: str, version: str = "1", depends: str = "") -> IndexEntry:
    path = f"pool/main/{name}_{version}.deb"
    return IndexEntry(name, version, "amd64", "debian", path, 1, "0" * 64, depends)


REQUEST = Request("bookworm", ("amd64",), {"base": ("app",)})


def names(request: Request, *entries: IndexEntry) -> dict[str, tuple[str, ...]]:
    lock = make_lock(request, {"amd64": list(entries)})
    return {package.name: package.groups for package in lock.packages["amd64"]}


def test_the_newest_version_of_all_suites_is_locked() -> None:
    entries = [entry("app", "1-1"), entry("app", "1-1+deb12u2"), entry("app", "1-1+deb12u1")]
    lock = make_lock(REQUEST, {"amd64": entries})
    assert [package.version for package in lock.packages["amd64"]] == ["1-1+deb12u2"]


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


def test_an_omission_that_nothing_needs_any_more_is_reported() -> None:
    request = replace(REQUEST, omit={"debconf": "asks", "perl": "why not"})
    with pytest.raises(DebianError, match=r"no package depends on perl. Remove it"):
        make_lock(request, {"amd64": [entry("app", depends="debconf"), entry("debconf")]})


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)
    with serving() as found:
        monkeypatch.setenv("DEBIAN_MIRROR", found.url)
        yield found


LIST = "[release]\nname = bookworm\narchitectures = amd64\n[base]\nhello\n"


def lock(tmp_path: Path, text: str = LIST) -> int:
    (tmp_path / "packages.ini").write_text(text)
    return run(
        ["lock_debs", f"--packages={tmp_path}/packages.ini", f"--output={tmp_path}/lock.json"]
    )


def test_locking_twice_gives_the_same_bytes(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inseam.formats.debian.index.verify_inrelease", verify_nothing)
    publish(mirror.files, [locked(b"hello"), locked(b"other", name="other")], "bookworm")
    assert lock(tmp_path) == 0
    first = (tmp_path / "lock.json").read_bytes()
    assert lock(tmp_path) == 0
    assert (tmp_path / "lock.json").read_bytes() == first
    assert mirror.url.encode() not in first
    (package,) = parse_lock(first.decode()).select("amd64")
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
