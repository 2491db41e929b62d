from __future__ import annotations

import pytest
from pants.core.goals.generate_lockfiles import KnownUserResolveNames, UserGenerateLockfiles
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.plan.platform import PythonPlatform
from inseam.rules.base import Base, BaseRequest, Rootfs, RootfsRequest, lock_name
from inseam.rules.debian_lock import KnownDebianLocksRequest, RequestedDebianLocks
from inseam.rules.rule_testing import BASE, MINOR, PYTHON_VERSION, failure, rule_runner, set_options

SERVICE = Address("src/shop", target_name="app")
DEBIAN = (
    "debian_base(name={name!r}, lock={lock!r}, packages={packages!r}, platform='linux/arm64',"
    " interpreter='/usr/bin/python3.11', python_version='3.11.2', glibc_version='2.36')\n"
)


def debian(
    name: str = "debian", lock: str = "locks/debian.json", packages: str = "packages.ini"
) -> str:
    return DEBIAN.format(name=name, lock=lock, packages=packages)


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return rule_runner(
        QueryRule(Base, [BaseRequest]),
        QueryRule(Rootfs, [RootfsRequest]),
        QueryRule(KnownUserResolveNames, [KnownDebianLocksRequest]),
        QueryRule(UserGenerateLockfiles, [RequestedDebianLocks]),
        layers=False,
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    set_options(module_runner)
    module_runner.write_files(
        {"BUILD": BASE, "docker/BUILD": debian(), "docker/packages.ini": "", "src/shop/BUILD": ""}
    )
    return module_runner


def find(runner: RuleRunner, spec: str) -> Base:
    return runner.request(Base, [BaseRequest(spec, SERVICE)])


@pytest.mark.parametrize("spec", ["//:base", ":base"])
def test_a_base_says_its_platform_and_its_interpreter(runner: RuleRunner, spec: str) -> None:
    runner.write_files({"src/shop/BUILD": BASE})
    base = find(runner, spec)
    assert base.platform == PythonPlatform("amd64", PYTHON_VERSION, (2, 36))
    assert base.interpreter == f"/usr/local/bin/python{MINOR}"
    assert base.python_version == MINOR


def test_a_debian_base_is_a_base_too(runner: RuleRunner) -> None:
    base = find(runner, "docker:debian")
    assert base.platform == PythonPlatform("arm64", "3.11.2", (2, 36))
    assert base.interpreter == "/usr/bin/python3.11"


def test_what_is_no_base_is_refused_by_both_names(runner: RuleRunner) -> None:
    runner.write_files({"src/shop/BUILD": "file(name='x', source='BUILD')"})
    text = failure(runner, Base, BaseRequest(":x", SERVICE))
    assert text.startswith("The base src/shop:x of src/shop:app is a `file`. It must be a")


def test_a_base_without_its_lock_is_refused_with_the_command_that_makes_it(
    runner: RuleRunner,
) -> None:
    address = Address("docker", target_name="debian", generated_name="rootfs")
    assert failure(runner, Rootfs, RootfsRequest(address)) == (
        "docker:debian: the lock locks/debian.json does not exist. Run: ./pants"
        " generate-lockfiles --resolve=debian"
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json"])
def test_a_lock_that_is_none_is_refused_by_base_and_path(runner: RuleRunner, text: str) -> None:
    runner.write_files({"docker/BUILD": debian(lock="locks/bad.json"), "locks/bad.json": text})
    address = Address("docker", target_name="debian", generated_name="rootfs")
    why = failure(runner, Rootfs, RootfsRequest(address))
    assert why.startswith("docker:debian: ")
    assert "locks/bad.json" in why


# --- Locks of Debian packages -----------------------------------------------------------------


def test_the_lock_of_a_base_is_a_resolve(runner: RuleRunner) -> None:
    names = runner.request(KnownUserResolveNames, [KnownDebianLocksRequest()])
    assert names.names == ("debian",)
    (lock,) = runner.request(UserGenerateLockfiles, [RequestedDebianLocks(["debian"])])
    assert lock.lockfile_dest == "locks/debian.json"
    assert vars(lock)["packages"] == "docker/packages.ini"
    assert vars(lock)["python_version"] == "3.11"


def test_bases_may_share_a_lock(runner: RuleRunner) -> None:
    runner.write_files({"docker/BUILD": debian() + debian("other")})
    assert runner.request(KnownUserResolveNames, [KnownDebianLocksRequest()]).names == ("debian",)


@pytest.mark.parametrize(
    "other",
    [
        debian("other", lock="elsewhere/debian.json"),
        debian("other", packages="other.ini"),
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
