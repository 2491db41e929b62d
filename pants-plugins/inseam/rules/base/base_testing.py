"""Declares bases of Debian packages, for tests."""

from __future__ import annotations

from typing import Any

import pytest
from pants.core.goals.generate_lockfiles import KnownUserResolveNames, UserGenerateLockfiles
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.rules.base.base import Base, BaseRequest, DebianRootRequest
from inseam.rules.base.debian_lock import KnownDebianLocksRequest, RequestedDebianLocks
from inseam.rules.base.debian_root import UnpackedRoot
from inseam.rules.layers.rootfs import RootfsLayer
from inseam.rules.rule_testing import (
    BASE,
    DEBIAN_LIST,
    debian_lock_text,
    declared,
    rule_runner,
    set_options,
)

SERVICE = Address("src/shop", target_name="app")


def debian(alias: str = "debian_base", **fields: Any) -> str:
    """A base, or a builder, of Debian packages; `fields` replace or extend the usual ones."""
    given = {"name": "debian", "lock": "locks/debian.json", "packages": "packages.ini", **fields}
    return declared(alias, **{"platform": "linux/arm64", **given})


def find(runner: RuleRunner, spec: str) -> Base:
    return runner.request(Base, [BaseRequest(spec, SERVICE)])


SHA256 = "0" * 64


LIBC_LIST = DEBIAN_LIST.replace("python3.11-minimal", "libc6")


def archives(runner: RuleRunner, **fields: Any) -> str:
    """Declares a base whose CPython comes from an archive, and returns its address."""
    named = {"linux/amd64": f"vendor/cpython.tar.gz#sha256={SHA256}"}
    fields = {"python_archives": named, "python_version": "3.12.8", **fields}
    runner.write_files(
        {
            "docker/BUILD": debian(**{"platform": "linux/amd64", **fields}),
            "docker/packages.ini": LIBC_LIST,
            "locks/debian.json": debian_lock_text(python="", text=LIBC_LIST),
        }
    )
    return "//docker:debian"


@pytest.fixture(scope="module")
def module_runner() -> RuleRunner:
    """A RuleRunner for the tests of one module."""
    return rule_runner(
        QueryRule(Base, [BaseRequest]),
        QueryRule(RootfsLayer, [DebianRootRequest]),
        QueryRule(UnpackedRoot, [DebianRootRequest]),
        QueryRule(KnownUserResolveNames, [KnownDebianLocksRequest]),
        QueryRule(UserGenerateLockfiles, [RequestedDebianLocks]),
        layers=False,
    )


@pytest.fixture
def runner(module_runner: RuleRunner) -> RuleRunner:
    """The runner, with the repository restored to its initial state."""
    set_options(module_runner)
    module_runner.write_files(
        {
            "BUILD": BASE,
            "docker/BUILD": debian(),
            "docker/packages.ini": DEBIAN_LIST,
            "locks/debian.json": debian_lock_text(),
            "src/shop/BUILD": "",
        }
    )
    return module_runner


fixtures = (module_runner, runner)
"""Fixtures for a test module, by the names `module_runner` and `runner`."""
