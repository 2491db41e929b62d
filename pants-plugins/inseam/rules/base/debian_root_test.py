from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.testutil.rule_runner import RuleRunner

from inseam.rules.base.base import DebianRootRequest
from inseam.rules.base.base_testing import archives, base_runner, debian, prepared
from inseam.rules.base.debian_root import UnpackedRoot
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.rule_testing import failure


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    return base_runner()


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    return prepared(module_runner)


def test_a_base_without_its_lock_is_refused_with_the_command_that_makes_it(
    runner: RuleRunner,
) -> None:
    runner.write_files({"docker/BUILD": debian(lock="locks/none.json")})
    address = Address("docker", target_name="debian", generated_name="rootfs")
    assert failure(runner, RootfsLayer, DebianRootRequest(address)) == (
        "docker:debian: the lock locks/none.json does not exist. Run: ./pants"
        " generate-lockfiles --resolve=none"
    )


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json"])
def test_a_lock_that_is_none_is_refused_by_base_and_path(runner: RuleRunner, text: str) -> None:
    runner.write_files({"docker/BUILD": debian(lock="locks/bad.json"), "locks/bad.json": text})
    address = Address("docker", target_name="debian", generated_name="rootfs")
    why = failure(runner, RootfsLayer, DebianRootRequest(address))
    assert why.startswith("docker:debian: ")
    assert "locks/bad.json" in why


def test_an_archive_that_is_not_in_the_repository_is_named(runner: RuleRunner) -> None:
    archives(runner)
    address = Address("docker", target_name="debian", generated_name="rootfs")
    why = failure(runner, UnpackedRoot, DebianRootRequest(address, "linux/amd64"))
    assert "docker:debian: the archive vendor/cpython.tar.gz of `python_archives` does not" in why
