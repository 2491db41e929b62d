from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.deb_testing import (
    Mirror,
    deb_bytes,
    locked,
    publish,
    serving,
    verify_nothing,
)
from inseam.formats.debian.mirror import Mirrors
from inseam.formats.debian.package import DebianPackage, package_args
from inseam.programs.__main__ import run

DATA = deb_bytes()
HELLO = locked(DATA)
NEW_DATA = deb_bytes(version="1.0-1+deb12u1")
NEW = replace(locked(NEW_DATA, version="1.0-1+deb12u1"), archive="debian-security")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with serving() as found:
        monkeypatch.setenv("DEBIAN_MIRROR", found.url)
        yield found


def fetch(tmp_path: Path, *more: str, package: DebianPackage = HELLO) -> int:
    arguments = [*package_args(package), "--release=bookworm"]
    return run(["fetch_deb", *arguments, f"--out={tmp_path}/out", *more])


def output(tmp_path: Path) -> list[str]:
    """Everything in the output folder, so that half-written files show."""
    return sorted(os.listdir(tmp_path / "out")) if (tmp_path / "out").exists() else []


def test_a_locked_package_is_fetched(tmp_path: Path, mirror: Mirror) -> None:
    mirror.files[f"debian/{HELLO.path}"] = DATA
    assert fetch(tmp_path) == 0
    assert (tmp_path / "out" / HELLO.file_name).read_bytes() == DATA
    assert output(tmp_path) == [HELLO.file_name, f"{HELLO.file_name}.json"]


def test_a_mirror_may_be_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "debian" / HELLO.path
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    monkeypatch.setenv("DEBIAN_MIRROR", (tmp_path / "debian").as_uri())
    assert fetch(tmp_path) == 0


@pytest.mark.parametrize(
    "served, got",
    [
        (DATA[:-1] + b"?", "got "),
        (DATA + b"?", f"expected {len(DATA)} bytes, got more"),
        (DATA[:-1], f"expected {len(DATA)} bytes, got {len(DATA) - 1}"),
    ],
)
def test_another_file_than_locked_is_refused(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str], served: bytes, got: str
) -> None:
    mirror.files[f"debian/{HELLO.path}"] = served
    assert fetch(tmp_path) == 1
    assert output(tmp_path) == []
    error = capfd.readouterr().err
    assert "Debian package hello 1.0-1 (amd64) does not match the lock" in error
    assert got in error
    if len(served) == len(DATA):
        assert f"expected sha256 {HELLO.sha256}, got " in error


def test_allowing_newer_does_not_allow_a_wrong_hash(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror.files[f"debian/{HELLO.path}"] = DATA[:-1] + b"?"
    assert fetch(tmp_path, "--allow-newer") == 1
    assert output(tmp_path) == []


def test_a_package_that_has_gone_tells_how_to_refresh_the_lock(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fetch(tmp_path) == 1
    assert output(tmp_path) == []
    error = capfd.readouterr().err
    assert "Debian package hello 1.0-1 (amd64) is no longer on any mirror" in error
    assert "Lock the packages again" in error


SNAPSHOT = "20261125T080000Z"


def snapshot(mirror: Mirror, timestamp: str = SNAPSHOT) -> tuple[str, str]:
    return f"--snapshot={mirror.url}/archive/", f"--timestamp={timestamp}"


def test_a_vendored_package_comes_before_any_mirror(tmp_path: Path, mirror: Mirror) -> None:
    vendored = tmp_path / "vendor/sha256" / HELLO.sha256
    vendored.parent.mkdir(parents=True)
    vendored.write_bytes(DATA)
    mirror.files[f"debian/{HELLO.path}"] = DATA
    assert fetch(tmp_path, f"--vendor={tmp_path}/vendor") == 0
    assert (tmp_path / "out" / HELLO.file_name).read_bytes() == DATA
    assert mirror.asked == []
    # What is not vendored, or is damaged, comes from a mirror.
    vendored.write_bytes(DATA[:-1])
    assert fetch(tmp_path, f"--vendor={tmp_path}/vendor") == 0
    vendored.unlink()
    assert fetch(tmp_path, f"--vendor={tmp_path}/vendor") == 0
    assert len(mirror.asked) == 2


def test_vendored_packages_may_be_on_a_server(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEBIAN_MIRROR")
    monkeypatch.setattr("inseam.programs.fetch_deb.find_mirrors", lambda _: Mirrors({}, "nothing"))
    mirror.files[f"bucket/sha256/{HELLO.sha256}"] = DATA
    assert fetch(tmp_path, f"--vendor={mirror.url}/bucket") == 0
    assert mirror.asked == [f"bucket/sha256/{HELLO.sha256}"]


def test_a_snapshot_has_what_no_mirror_has_any_more(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    pool = f"debian/{HELLO.path}"
    kept = f"archive/debian/{SNAPSHOT}/{HELLO.path}"
    mirror.files[pool] = mirror.files[kept] = DATA
    assert fetch(tmp_path, *snapshot(mirror)) == 0
    assert mirror.asked == [pool]
    del mirror.files[pool]
    assert fetch(tmp_path, *snapshot(mirror)) == 0
    assert mirror.asked[1:] == [pool, kept]
    assert capfd.readouterr().err == ""
    mirror.files[kept] = DATA[:-1] + b"?"
    assert fetch(tmp_path, *snapshot(mirror)) == 1
    assert "expected sha256" in capfd.readouterr().err


def test_a_snapshot_comes_before_a_newer_version(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust_all(monkeypatch)
    publish(mirror.files, [NEW], "bookworm")
    mirror.files[f"debian-security/{NEW.path}"] = NEW_DATA
    mirror.files[f"archive/debian/{SNAPSHOT}/{HELLO.path}"] = DATA
    assert fetch(tmp_path, "--allow-newer", *snapshot(mirror)) == 0
    assert output(tmp_path) == [HELLO.file_name, f"{HELLO.file_name}.json"]


def test_what_nothing_has_any_more_names_the_options_that_help(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    assert fetch(tmp_path, *snapshot(mirror), f"--vendor={tmp_path}") == 1
    error = capfd.readouterr().err
    assert f"/archive/debian/{SNAPSHOT}/{HELLO.path}: not there" in error
    assert "[inseam].debian_snapshot" in error
    assert "[inseam].debian_vendor" in error


def test_no_network_is_told_apart_from_a_package_that_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving() as stopped:
        monkeypatch.setenv("DEBIAN_MIRROR", stopped.url)
    assert fetch(tmp_path, "--allow-newer") == 1
    assert output(tmp_path) == []
    error = capfd.readouterr().err
    assert "Debian package hello 1.0-1 (amd64) could not be fetched" in error
    assert "Check the network" in error


def test_a_connection_that_breaks_leaves_nothing_behind(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror.files[f"debian/{HELLO.path}"] = DATA
    mirror.cut[f"debian/{HELLO.path}"] = 99
    assert fetch(tmp_path) == 1
    assert output(tmp_path) == []
    assert "broke off" in capfd.readouterr().err


def trust_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inseam.formats.debian.release.verify_inrelease", verify_nothing)


def test_a_newer_version_is_taken_only_when_asked_for_and_loudly(
    tmp_path: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trust_all(monkeypatch)
    publish(mirror.files, [HELLO, NEW], "bookworm")
    mirror.files[f"debian-security/{NEW.path}"] = NEW_DATA
    assert fetch(tmp_path) == 1
    assert output(tmp_path) == []
    assert fetch(tmp_path, "--allow-newer") == 0
    assert (tmp_path / "out" / HELLO.file_name).read_bytes() == NEW_DATA
    error = capfd.readouterr().err
    assert "WARNING: Debian package hello 1.0-1 (amd64) has gone" in error
    assert NEW.version in error
    assert NEW.sha256 in error


def test_the_locked_version_is_taken_while_it_is_there(
    tmp_path: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trust_all(monkeypatch)
    publish(mirror.files, [NEW], "bookworm")
    mirror.files[f"debian/{HELLO.path}"] = DATA
    assert fetch(tmp_path, "--allow-newer") == 0
    assert (tmp_path / "out" / HELLO.file_name).read_bytes() == DATA
    assert capfd.readouterr().err == ""


def test_an_older_version_is_no_replacement(
    tmp_path: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trust_all(monkeypatch)
    publish(mirror.files, [HELLO], "bookworm")
    mirror.files[f"debian/{HELLO.path}"] = DATA
    assert fetch(tmp_path, "--allow-newer", package=NEW) == 1
    assert "is no longer on any mirror" in capfd.readouterr().err


def test_a_newer_version_needs_debians_signature(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    publish(mirror.files, [NEW], "bookworm")
    mirror.files[f"debian-security/{NEW.path}"] = NEW_DATA
    assert fetch(tmp_path, "--allow-newer") == 1
    assert output(tmp_path) == []
    assert "sign" in capfd.readouterr().err


def test_a_newer_version_with_a_wrong_hash_is_refused(
    tmp_path: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trust_all(monkeypatch)
    publish(mirror.files, [NEW], "bookworm")
    mirror.files[f"debian-security/{NEW.path}"] = NEW_DATA[:-1] + b"?"
    assert fetch(tmp_path, "--allow-newer") == 1
    assert output(tmp_path) == []
    assert "expected sha256" in capfd.readouterr().err


def test_a_package_for_all_architectures_is_looked_up_in_some_index(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust_all(monkeypatch)
    publish(mirror.files, [replace(NEW, architecture="all")], "bookworm")
    mirror.files[f"debian-security/{NEW.path}"] = NEW_DATA
    assert fetch(tmp_path, "--allow-newer", package=replace(HELLO, architecture="all")) == 0
