"""The base that comes with Inseam: what it is made of, and what a repository can do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pants.core.goals.generate_lockfiles import UserGenerateLockfiles
from pants.engine.addresses import Address, Addresses
from pants.engine.target import Targets
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.base.base import Base, BaseRequest, DebianRootRequest, LockedBase
from inseam.rules.base.debian_lock import GenerateDebianLock, RequestedDebianLocks
from inseam.rules.rule_testing import (
    DEBIAN_LIST,
    debian_lock_text,
    failure,
    rule_runner,
    set_options,
)
from inseam.subsystem import DEFAULT_BASE

ROOTFS = Address("", target_name="inseam-base", generated_name="rootfs")
PLUGIN = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return rule_runner(
        QueryRule(Base, [BaseRequest]),
        QueryRule(LockedBase, [DebianRootRequest]),
        QueryRule(UserGenerateLockfiles, [RequestedDebianLocks]),
        QueryRule(Targets, [Addresses]),
    )


def test_a_repository_without_a_base_has_one(runner: RuleRunner) -> None:
    set_options(runner, base=DEFAULT_BASE)
    base = runner.request(Base, [BaseRequest(DEFAULT_BASE, None)])
    assert (base.python_version, base.has_init, base.is_debian) == ("3.11", True, True)
    assert "distutils" in base.missing_modules
    assert base.oci_platform == "linux/amd64"
    arm = runner.request(Base, [BaseRequest(DEFAULT_BASE, None, "linux/arm64")])
    assert arm.oci_platform == "linux/arm64"


def test_its_list_and_lock_are_those_that_this_repository_uses(runner: RuleRunner) -> None:
    names = {"bookworm.json": "debian-bookworm.json", "bookworm.ini": "packages.ini"}
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
    why = failure(runner, LockedBase, DebianRootRequest(ROOTFS))
    assert "the lock own.json does not exist. Run: ./pants generate-lockfiles --resolve=own" in why
    runner.write_files({"own.json": debian_lock_text(text=DEBIAN_LIST)})
    why = failure(runner, LockedBase, DebianRootRequest(ROOTFS))
    assert "does not match the list of packages" in why
    assert "The list of packages comes with Inseam, its lock own.json" in why


def test_its_own_lock_is_generated_only_where_one_is_wanted(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-default-base-lock=locks/own.json", base=DEFAULT_BASE)
    (lock,) = runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["own"])])
    assert (lock.resolve_name, lock.lockfile_dest) == ("own", "locks/own.json")
    set_options(runner, base=DEFAULT_BASE)
    with pytest.raises(Exception, match="own"):
        runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["own"])])


READY = {"bookworm": ("3.11", "2.36"), "trixie": ("3.13", "2.41"), "forky": ("3.14", "2.43")}


def ready(name: str, **fields: str) -> str:
    values = {"packages": f"inseam:{name}.ini", "lock": f"inseam:{name}.json", **fields}
    return f"debian_base(name={name!r}, groups=['init'], **{values!r})\n"


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_a_base_of_a_ready_list_needs_no_file(runner: RuleRunner, name: str, platform: str) -> None:
    set_options(runner)
    runner.write_files({"ready/BUILD": ready(name)})
    base = runner.request(Base, [BaseRequest(f"//ready:{name}", None, platform)])
    python, glibc = READY[name]
    assert (base.python_version, base.has_init) == (python, True)
    assert ".".join(map(str, base.platform.glibc)) == glibc
    rootfs = Address("ready", target_name=name, generated_name="rootfs")
    locked = runner.request(LockedBase, [DebianRootRequest(rootfs, platform)])
    packages = {package.name for package in locked.packages}
    assert {"libstdc++6", f"libpython{python}-stdlib", "tini", "tzdata"} <= packages
    # What is left out is not there, under its own name or the one that 64-bit times gave it.
    assert {"awk", "debconf", "openssl", "libreadline8"} <= set(locked.left_out)
    assert not packages & {name + end for name in locked.left_out for end in ("", "t64")}
    generated = runner.request(Targets, [Addresses([Address("ready", target_name=name)])])
    assert {target.address.generated_name for target in generated} == {"rootfs", "image"}


def test_a_ready_list_is_locked_in_the_repository_if_its_lock_is_there(runner: RuleRunner) -> None:
    set_options(runner)
    runner.write_files({"ready/BUILD": ready("trixie", lock="locks/thirteen.json")})
    (lock,) = runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["thirteen"])])
    assert isinstance(lock, GenerateDebianLock)
    assert lock.packages == "inseam:trixie.ini"
    assert lock.shipped[0].content == (PLUGIN / "default_base/trixie.ini").read_bytes()
    rootfs = Address("ready", target_name="trixie", generated_name="rootfs")
    why = failure(runner, LockedBase, DebianRootRequest(rootfs))
    assert "generate-lockfiles --resolve=thirteen" in why
    # Another list than that of the lock says which of the two comes with Inseam.
    runner.write_files({"locks/thirteen.json": debian_lock_text()})
    why = failure(runner, LockedBase, DebianRootRequest(rootfs))
    assert "The list of packages comes with Inseam, its lock locks/thirteen.json" in why


@pytest.mark.parametrize("field, suffix", [("packages", ".ini"), ("lock", ".json")])
def test_a_list_that_does_not_come_with_inseam_is_named(
    runner: RuleRunner, field: str, suffix: str
) -> None:
    set_options(runner)
    runner.write_files({"ready/BUILD": ready("trixie", **{field: f"inseam:lenny{suffix}"})})
    rootfs = Address("ready", target_name="trixie", generated_name="rootfs")
    why = failure(runner, LockedBase, DebianRootRequest(rootfs))
    assert f"`{field}` is 'inseam:lenny{suffix}'" in why
    assert f"only inseam:bookworm{suffix}, inseam:trixie{suffix}" in why


def test_the_lock_of_a_ready_list_is_replaced_by_one_in_the_repository(runner: RuleRunner) -> None:
    set_options(runner)
    groups = ready("trixie").replace("'init'", "'nope'")
    runner.write_files({"ready/BUILD": groups})
    rootfs = Address("ready", target_name="trixie", generated_name="rootfs")
    why = failure(runner, LockedBase, DebianRootRequest(rootfs))
    assert why.startswith("ready:trixie: ")
    assert "set `lock` of the base to 'lockfiles/debian-trixie.json' and run: ./pants" in why
