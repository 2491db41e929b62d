from __future__ import annotations

from pathlib import Path

from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.rule_testing import locked, tar_files
from inseam.rules.service_testing import (
    SITE,
    dependencies,
    fixtures,
    refused,
    tar,
    wheels_of,
    write_lock,
)

module_runner, runner = fixtures


def test_requirements_of_another_platform_are_left_out(runner: RuleRunner) -> None:
    write_lock(runner, greet=locked(wheels_of(runner)["greet"], 'words; sys_platform == "win32"'))
    installed = tar_files(tar(runner, dependencies(runner).layers[0]))
    assert f"{SITE}/greet.py" in installed
    assert f"{SITE}/words/__init__.py" not in installed


def test_a_requirement_that_the_lock_lacks_is_refused(runner: RuleRunner) -> None:
    write_lock(runner, words={})
    refused(runner, "does not contain words, which greet 1.0 requires", "generate-lockfiles")


def test_a_distribution_without_a_wheel_for_the_base_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", tag="cp27-cp27m-win32")
    write_lock(runner, words=locked(wheel))
    refused(runner, "words 1.0 has no wheel for linux/amd64", "It has wheels for: cp27-cp27m-win32")
