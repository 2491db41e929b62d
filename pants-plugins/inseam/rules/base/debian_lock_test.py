from __future__ import annotations

import pytest
from pants.core.goals.generate_lockfiles import KnownUserResolveNames, UserGenerateLockfiles
from pants.testutil.rule_runner import RuleRunner

from inseam.formats.debian.lock import lock_name
from inseam.rules.base.base_testing import debian, fixtures
from inseam.rules.base.debian_lock import (
    GenerateDebianLock,
    KnownDebianLocksRequest,
    RequestedDebianLocks,
    lock_diff,
)
from inseam.rules.rule_testing import debian_lock_text, failure

module_runner, runner = fixtures


def test_the_lock_of_a_base_is_a_resolve(runner: RuleRunner) -> None:
    names = runner.request(KnownUserResolveNames, [KnownDebianLocksRequest()])
    assert names.names == ("debian",)
    (lock,) = runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["debian"])])
    assert lock.lockfile_dest == "locks/debian.json"
    assert vars(lock)["packages"] == "docker/packages.ini"


def test_bases_may_share_a_lock(runner: RuleRunner) -> None:
    runner.write_files({"docker/BUILD": debian() + debian(name="other")})
    assert runner.request(KnownUserResolveNames, [KnownDebianLocksRequest()]).names == ("debian",)


@pytest.mark.parametrize(
    "other",
    [
        debian(name="other", lock="elsewhere/debian.json"),
        debian(name="other", packages="other.ini"),
    ],
)
def test_two_locks_of_one_name_are_refused(runner: RuleRunner, other: str) -> None:
    runner.write_files({"docker/BUILD": debian() + other})
    text = failure(runner, KnownUserResolveNames, KnownDebianLocksRequest())
    assert "locks/debian.json" in text
    assert "Rename one of the two files." in text


def test_the_name_of_a_lock_is_that_of_its_file() -> None:
    assert lock_name("lockfiles/debian-bookworm.json") == "debian-bookworm"
    assert lock_name("debian.json") == "debian"


def two_versions(libc: str, python: str = "3.11.2-6") -> bytes:
    """A lock whose libc6 has another version on arm64."""
    text = debian_lock_text(python=python)
    at = text.rindex("2.36-9+deb12u14")
    return (text[:at] + libc + text[at + len("2.36-9+deb12u14") :]).encode()


def test_locking_again_says_which_packages_changed() -> None:
    request = GenerateDebianLock("debian", "locks/debian.json", False, "packages.ini")
    same = debian_lock_text(python="3.11.2-6").encode()
    diff = lock_diff(request, same, two_versions("2.36-9+deb12u15", python="3.11.10-1"))
    assert diff is not None
    assert (diff.path, diff.resolve_name) == ("locks/debian.json", "debian")
    assert {name: tuple(map(str, change)) for name, change in diff.upgraded.items()} == {
        "python3.11-minimal": ("3.11.2-6", "3.11.10-1")
    }
    assert not diff.downgraded
    assert sorted(diff.removed) == ["libc6"]
    assert {name: str(version) for name, version in diff.added.items()} == {
        "libc6:amd64": "2.36-9+deb12u14",
        "libc6:arm64": "2.36-9+deb12u15",
    }
    again = lock_diff(request, same, same)
    assert again is not None
    assert not {*again.added, *again.removed, *again.upgraded, *again.downgraded}
    assert lock_diff(request, None, same) is lock_diff(request, b"{}", same) is None
