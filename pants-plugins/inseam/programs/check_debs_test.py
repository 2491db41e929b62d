from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator

import pytest

from inseam.formats import download
from inseam.formats.debian.deb_testing import Mirror, locked, publish, serving, verify_nothing
from inseam.formats.debian.lock import parse_lock
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.updates import describe, load_reports
from inseam.programs.__main__ import run

LIST = "[release]\nname = bookworm\narchitectures = amd64\n[base]\nhello\nother\n"
HELLO, OTHER = locked(b"hello"), locked(b"other", "other")
FIXED = replace(locked(b"fixed", version="1.0-1+deb12u1"), archive="debian-security")
NEWER = locked(b"newer", "other", "1.1-1")


def serve(mirror: Mirror, *packages: tuple[DebianPackage, bytes]) -> None:
    """A mirror with these packages, and no others."""
    mirror.files.clear()
    publish(mirror.files, [package for package, _ in packages], "bookworm")
    for package, data in packages:
        mirror.files[f"{package.archive}/{package.path}"] = data


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    """A mirror from which two packages are locked."""
    monkeypatch.setattr(download, "FIRST_DELAY", 0.0)
    monkeypatch.setattr("inseam.formats.debian.release.verify_inrelease", verify_nothing)
    with serving() as found:
        monkeypatch.setenv("DEBIAN_MIRROR", found.url)
        serve(found, (HELLO, b"hello"), (OTHER, b"other"))
        (tmp_path / "packages.ini").write_text(LIST)
        paths = (f"--packages={tmp_path}/packages.ini", f"--output={tmp_path}/lock.json")
        assert run(["lock_debs", *paths]) == 0
        yield found


def check(tmp_path: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON and text."""
    assert run(["check_debs", f"--out={tmp_path}/out", *more, f"{tmp_path}/lock.json"]) == 0
    text = (tmp_path / "out/check.json").read_text()
    (report,) = load_reports(text)
    (value,) = json.loads(text)["locks"]
    return report.exit_code, value, describe(report, "Lock again.")


def test_a_lock_that_is_up_to_date(tmp_path: Path, mirror: Mirror) -> None:
    code, value, text = check(tmp_path)
    assert code == 0
    assert (value["release"], value["packages"]) == ("bookworm", 2)
    assert value["updates"] == value["gone"] == []
    assert "up to date" in text


def test_a_security_update_is_told_with_its_version_and_suite(
    tmp_path: Path, mirror: Mirror
) -> None:
    serve(mirror, (HELLO, b"hello"), (OTHER, b"other"), (FIXED, b"fixed"))
    code, value, text = check(tmp_path)
    assert code == 2
    fix = {"version": "1.0-1+deb12u1", "suite": "bookworm-security"}
    assert value["updates"] == [
        {
            "name": "hello",
            "locked": "1.0-1",
            "architectures": ["amd64"],
            "newest": fix,
            "security": fix,
        }
    ]
    assert "security update: hello 1.0-1 -> 1.0-1+deb12u1 (bookworm-security) [amd64]" in text
    assert text.endswith("  Lock again.")


def test_another_update_is_told_but_is_no_reason_to_fail(tmp_path: Path, mirror: Mirror) -> None:
    serve(mirror, (HELLO, b"hello"), (OTHER, b"other"), (NEWER, b"newer"))
    code, value, text = check(tmp_path)
    assert code == 0
    assert value["updates"][0]["security"] is None
    assert "  update: other 1.0-1 -> 1.1-1 (bookworm) [amd64]" in text


def test_what_is_gone_is_told_whether_or_not_the_index_has_it(
    tmp_path: Path, mirror: Mirror
) -> None:
    del mirror.files[f"debian/{OTHER.path}"]
    code, value, text = check(tmp_path)
    assert code == 4
    assert [one["name"] for one in value["gone"]] == ["other"]
    assert "gone from the mirrors: other 1.0-1 [amd64]: nothing has it any more" in text
    serve(mirror, (FIXED, b"fixed"), (OTHER, b"other"))
    code, value, _ = check(tmp_path)
    assert code == 6
    assert [one["name"] for one in value["gone"]] == ["hello"]


def test_what_is_vendored_or_in_a_snapshot_is_not_lost(tmp_path: Path, mirror: Mirror) -> None:
    serve(mirror)
    vendored = tmp_path / "vendor/sha256" / HELLO.sha256
    vendored.parent.mkdir(parents=True)
    vendored.write_bytes(b"hello")
    timestamp = parse_lock((tmp_path / "lock.json").read_text()).timestamp
    mirror.files[f"archive/debian/{timestamp}/{OTHER.path}"] = b"other"
    where = (f"--vendor={tmp_path}/vendor", f"--snapshot={mirror.url}/archive")
    code, value, text = check(tmp_path, *where)
    assert code == 0
    assert {one["name"]: one["source"] for one in value["gone"]} == {
        "hello": "vendor",
        "other": "snapshot",
    }
    assert "the snapshot has it" in text
    assert check(tmp_path)[0] == 4


def test_a_mirror_that_does_not_answer_is_an_error(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror.statuses[f"debian/{HELLO.path}"] = 500
    assert run(["check_debs", f"--out={tmp_path}/out", f"{tmp_path}/lock.json"]) == 1
    assert "HTTP status 500" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_index_older_than_that_of_the_lock_is_refused(
    tmp_path: Path, mirror: Mirror, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lock.json"
    path.write_text(path.read_text().replace("2024-01-01", "2024-01-02"))
    assert run(["check_debs", f"--out={tmp_path}/out", str(path)]) == 1
    assert "this mirror is behind" in capfd.readouterr().err
