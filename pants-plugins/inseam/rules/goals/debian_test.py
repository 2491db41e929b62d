from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from pants.engine.goal import Goal
from pants.testutil.rule_runner import GoalRuleResult, RuleRunner

from inseam.formats.debian.deb_testing import locked
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock
from inseam.formats.debian.request import parse_request
from inseam.rules.debs_testing import (
    BASE,
    DEBS,
    FIXED,
    HELLO,
    LIST,
    LOCK,
    OTHER,
    SUITES,
    TIMESTAMP,
    Archive,
)
from inseam.rules.goals import debian
from inseam.rules.goals.debian import Check, Vendor
from inseam.rules.rule_testing import INHERITED, option_args, rule_runner


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(layers=False, more=debian.rules())


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
    # The tools are packages of Debian's own mirrors.
    options = {"build_tools": "installed", **options}
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


def test_what_confines_builds_is_vendored_too(
    runner: RuleRunner, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = locked(b"tool", "bubblewrap")
    lock = DebianLock(parse_request(LIST), {"amd64": (LockedPackage(tool),)}, SUITES, TIMESTAMP)
    monkeypatch.setattr(debian, "shipped_lock", lambda name: dump_lock(lock))
    monkeypatch.setitem(DEBS, "bubblewrap", b"tool")
    archive.serve(HELLO, OTHER, tool)
    result = run(runner, Vendor, archive, "base:debian", build_tools="locked")
    assert "inseam:build-tools.json: 1 packages" in result.stdout
    folder = Path(runner.build_root, "dist/debian-packages/sha256")
    assert {path.name for path in folder.iterdir()} == {HELLO.sha256, OTHER.sha256, tool.sha256}
    without = run(
        runner, Vendor, archive, "base:debian", build_tools="locked", without="wheels_from_source"
    )
    assert "build-tools" not in without.stdout


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
