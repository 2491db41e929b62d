"""The base that comes with Inseam: what it is made of, and what a repository can do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pants.core.goals.generate_lockfiles import UserGenerateLockfiles
from pants.engine.addresses import Address, Addresses
from pants.engine.target import Targets
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.base import Base, BaseRequest, LockedBase, LockedBaseRequest
from inseam.rules.debian_lock import RequestedDebianLocks
from inseam.rules.rule_testing import (
    DEBIAN_LIST,
    debian_lock_text,
    failure,
    rule_runner,
    set_options,
)
from inseam.subsystem import DEFAULT_BASE

ROOTFS = Address("", target_name="inseam-base", generated_name="rootfs")
PLUGIN = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return rule_runner(
        QueryRule(Base, [BaseRequest]),
        QueryRule(LockedBase, [LockedBaseRequest]),
        QueryRule(UserGenerateLockfiles, [RequestedDebianLocks]),
        QueryRule(Targets, [Addresses]),
    )


def test_a_repository_without_a_base_has_one(runner: RuleRunner) -> None:
    set_options(runner, base=DEFAULT_BASE)
    base = runner.request(Base, [BaseRequest(DEFAULT_BASE, None)])
    assert (base.python_version, base.has_init, base.is_debian) == ("3.11", True, True)
    assert "distutils" in base.lacking
    assert base.oci_platform == "linux/amd64"
    arm = runner.request(Base, [BaseRequest(DEFAULT_BASE, None, "linux/arm64")])
    assert arm.oci_platform == "linux/arm64"


def test_its_list_and_lock_are_those_that_this_repository_uses(runner: RuleRunner) -> None:
    names = {"lock.json": "debian-bookworm.json", "packages.ini": "packages.ini"}
    for name, used in names.items():
        link = PLUGIN / "default_base" / name
        assert link.is_file()
        if link.is_symlink():  # In a sandbox it is the file itself.
            assert link.resolve().name == used


def test_it_makes_no_image_of_an_engine_unless_such_images_are_packaged(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-package=['oci']", base=DEFAULT_BASE)
    base = Address("", target_name="inseam-base")
    generated = runner.request(Targets, [Addresses([base])])
    assert {target.address.generated_name for target in generated} == {"rootfs"}


def test_an_error_of_its_lock_says_how_to_get_an_own_one(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-default-base-lock=own.json", base=DEFAULT_BASE)
    why = failure(runner, LockedBase, LockedBaseRequest(ROOTFS))
    assert "the lock own.json does not exist. Run: ./pants generate-lockfiles --resolve=own" in why
    runner.write_files({"own.json": debian_lock_text(text=DEBIAN_LIST)})
    why = failure(runner, LockedBase, LockedBaseRequest(ROOTFS))
    assert "does not match the list of packages" in why
    assert "The list of packages comes with Inseam, its lock own.json" in why


def test_its_own_lock_is_generated_only_where_one_is_wanted(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-default-base-lock=locks/own.json", base=DEFAULT_BASE)
    (lock,) = runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["own"])])
    assert (lock.resolve_name, lock.lockfile_dest) == ("own", "locks/own.json")
    set_options(runner, base=DEFAULT_BASE)
    with pytest.raises(Exception, match="own"):
        runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["own"])])
