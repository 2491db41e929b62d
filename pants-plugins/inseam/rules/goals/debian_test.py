from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pants.engine.goal import Goal
from pants.testutil.rule_runner import GoalRuleResult, QueryRule, RuleRunner

from inseam.formats.debian.deb_testing import deb_bytes, locked, publish
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.request import parse_request
from inseam.formats.debian.suite import Suite, snapshot_timestamp
from inseam.rules.base.debs import Deb, DebRequest
from inseam.rules.goals import debian
from inseam.rules.goals.debian import Check, Vendor
from inseam.rules.rule_testing import (
    INHERITED,
    failure,
    files_of,
    option_args,
    rule_runner,
    set_options,
)

LIST = "[release]\nname = bookworm\narchitectures = amd64\n[base]\nhello\n[more]\nother\n"
DEBS = {name: deb_bytes(name) for name in ("hello", "other")}
HELLO, OTHER = (locked(data, name) for name, data in DEBS.items())
FIXED = locked(b"fixed", "hello", "1.0-1+deb12u1")
SUITES = (Suite("bookworm", "debian", "2024-01-01T00:00:00Z"),)
TIMESTAMP = snapshot_timestamp(SUITES)
LOCK = dump_lock(
    DebianLock(
        parse_request(LIST),
        {"amd64": (LockedPackage(HELLO), LockedPackage(OTHER, ("more",)))},
        SUITES,
        TIMESTAMP,
    )
)
BASE = "debian_base(name='debian', lock='locks/debian.json', platform='linux/amd64')\n"
# Takes an index that nobody signed for a signed one: `gpgv --output TEXT SIGNED`, both come last.
GPGV = '#!/bin/sh\nfor one; do text="$signed"; signed="$one"; done\ncp "$signed" "$text"\n'


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(QueryRule(Deb, [DebRequest]), layers=False, more=debian.rules())


class Archive:
    """A mirror and a snapshot archive in a folder, and the environment in which they are used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        gpgv = folder / "bin/gpgv"
        gpgv.parent.mkdir()
        gpgv.write_text(GPGV)
        gpgv.chmod(0o755)
        (folder / "keyring").touch()
        self.env = {
            "DEBIAN_MIRROR": folder.joinpath("mirror").as_uri(),
            "DEBIAN_KEYRING": str(folder / "keyring"),
            "PATH": f"{gpgv.parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.snapshot = folder.joinpath("archive").as_uri()

    def write(self, path: str, content: bytes) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def serve(self, *packages: DebianPackage) -> None:
        """Makes these the packages of the mirror."""
        shutil.rmtree(self.folder / "mirror", ignore_errors=True)
        files: dict[str, bytes] = {}
        publish(files, packages, "bookworm")
        for package in packages:
            content = DEBS.get(package.name, b"") if package != FIXED else b"fixed"
            files[f"{package.archive}/{package.path}"] = content
        for path, content in files.items():
            self.write(f"mirror/{path}", content)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path)
    made.serve(HELLO, OTHER)
    return made


@pytest.fixture
def runner(module_runner: RuleRunner, archive: Archive) -> RuleRunner:
    for folder in ("vendor", "dist"):
        shutil.rmtree(Path(module_runner.build_root, folder), ignore_errors=True)
    module_runner.write_files(
        {"base/BUILD": BASE, "base/packages.ini": LIST, "locks/debian.json": LOCK}
    )
    return module_runner


def run(
    runner: RuleRunner, goal: type[Goal], archive: Archive, *args: str, **options: str
) -> GoalRuleResult:
    given = [f"--inseam-{name.replace('_', '-')}={value}" for name, value in options.items()]
    return runner.run_goal_rule(
        goal,
        global_args=option_args(runner, *given),
        args=args,
        env=archive.env,
        env_inherit=INHERITED - {"PATH"},
    )


def test_locked_packages_are_vendored_by_their_content(
    runner: RuleRunner, archive: Archive
) -> None:
    result = run(runner, Vendor, archive, "base:debian", debian_vendor="vendor/debian")
    assert result.exit_code == 0
    assert "locks/debian.json: 2 packages" in result.stdout
    assert "of which 2 are new in vendor/debian" in result.stdout
    folder = Path(runner.build_root, "vendor/debian/sha256")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        HELLO.sha256: DEBS["hello"],
        OTHER.sha256: DEBS["other"],
    }
    again = run(runner, Vendor, archive, "--output=vendor/debian", "::")
    assert "of which 0 are new" in again.stdout


def fetched(runner: RuleRunner) -> bytes:
    deb = runner.request(Deb, [DebRequest("bookworm", (), HELLO, TIMESTAMP)])
    return files_of(runner, deb.digest)[HELLO.file_name]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_base_is_made_of_vendored_packages_once_mirrors_dropped_them(
    runner: RuleRunner, archive: Archive, absolute: bool
) -> None:
    run(runner, Vendor, archive, "--output=vendor/debian", "base:debian")
    archive.serve()
    place = "vendor/debian"
    location = str(Path(runner.build_root, place)) if absolute else place
    set_options(runner, f"--inseam-debian-vendor={location}", env=archive.env)
    assert fetched(runner) == DEBS["hello"]


def test_a_base_is_made_of_a_snapshot_once_mirrors_dropped_its_packages(
    runner: RuleRunner, archive: Archive
) -> None:
    archive.serve()
    archive.write(f"archive/debian/{TIMESTAMP}/{HELLO.path}", DEBS["hello"])
    set_options(runner, f"--inseam-debian-snapshot={archive.snapshot}", env=archive.env)
    assert fetched(runner) == DEBS["hello"]


def test_without_either_the_error_names_both(runner: RuleRunner, archive: Archive) -> None:
    archive.serve()
    set_options(runner, env=archive.env)
    why = failure(runner, Deb, DebRequest("bookworm", (), OTHER, ""))
    assert "Debian package other 1.0-1 (amd64) is no longer on any mirror" in why
    assert "[inseam].debian_snapshot" in why


def checked(runner: RuleRunner, archive: Archive, **options: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of the check."""
    expired = {"debian_allow_expired": "true", **options}
    result = run(runner, Check, archive, "--format=json", "base:debian", **expired)
    (report,) = json.loads(result.stdout)["locks"]
    return result.exit_code, report


def test_a_check_tells_bots_what_there_is_to_do(runner: RuleRunner, archive: Archive) -> None:
    code, report = checked(runner, archive)
    assert (code, report["lock"]) == (0, "locks/debian.json")
    assert report["updates"] == report["gone"] == []
    archive.serve(FIXED, OTHER)
    code, report = checked(runner, archive)
    assert code == 4
    assert report["updates"][0]["newest"] == {"version": "1.0-1+deb12u1", "suite": "bookworm"}
    assert report["gone"][0]["name"] == "hello"
    archive.write(f"archive/debian/{TIMESTAMP}/{HELLO.path}", DEBS["hello"])
    code, report = checked(runner, archive, debian_snapshot=archive.snapshot)
    assert code == 0
    assert report["gone"][0]["source"] == "snapshot"
    result = run(runner, Check, archive, "base:debian", debian_allow_expired="true")
    assert result.exit_code == 4
    assert "gone from the mirrors: hello 1.0-1 [amd64]: nothing has it any more" in result.stdout


def test_a_goal_without_a_base_says_what_to_type(runner: RuleRunner, archive: Archive) -> None:
    runner.write_files({"x/BUILD": "file(name='x', source='BUILD')"})
    with pytest.raises(Exception, match="./pants vendor-debian-packages ::"):
        run(runner, Vendor, archive, "x:x")
