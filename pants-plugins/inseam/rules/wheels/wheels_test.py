from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pants.testutil.rule_runner import RuleRunner

from inseam.formats.python.wheel_testing import build_wheel
from inseam.rules.rule_testing import locked, set_options
from inseam.rules.service_testing import (
    dependencies,
    fixtures,
    refused,
    wheels_of,
    write_lock,
)

module_runner, runner = fixtures


def runner_lock(runner: RuleRunner) -> dict[str, Any]:
    """The JSON of the lock, without its comment."""
    text = Path(runner.build_root, "services.lock").read_text()
    lock: dict[str, Any] = json.loads(text.partition("\n")[2])
    return lock


def test_a_lock_that_is_not_there_is_refused(runner: RuleRunner) -> None:
    set_options(runner, "--python-resolves={'services': 'gone.lock'}")
    refused(runner, "gone.lock", "does not exist", "generate-lockfiles --resolve=services")


def test_what_is_no_lock_is_refused(runner: RuleRunner) -> None:
    runner.write_files({"services.lock": "greet==1.0\n"})
    refused(
        runner,
        "services.lock is not a usable requirements file with hashes: line 1 ('greet==1.0') has no",
        "generate-lockfiles --resolve=services",
    )
    runner.write_files({"services.lock": "{}\n"})
    refused(runner, "services.lock is not a PEX lock file", "generate-lockfiles --resolve=services")


def test_a_wheel_that_is_not_the_locked_one_is_refused(runner: RuleRunner) -> None:
    wheel = wheels_of(runner)["words"]
    write_lock(runner, words=locked(wheel, sha256="ab" * 32))
    refused(runner, "words-1.0-py3-none-any.whl is not the locked file")


def test_a_wheel_that_is_larger_than_allowed_is_refused(runner: RuleRunner) -> None:
    set_options(runner, "--inseam-max-download-size=99")
    refused(runner, "-1.0-py3-none-any.whl is larger than allowed", "max_download_size")
    set_options(runner)
    assert dependencies(runner).layers


def test_a_wheel_that_is_gone_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "2.0")
    write_lock(runner, words=locked(wheel))
    wheel.unlink()
    refused(runner, "words-2.0-py3-none-any.whl is no longer at the URL in the lock")


def test_a_bad_wheel_is_refused(runner: RuleRunner) -> None:
    wheel = build_wheel(Path(runner.build_root, "wheels"), "words", "1.1", omit={"RECORD"})
    write_lock(runner, words=locked(wheel))
    refused(runner, "words-1.1-py3-none-any.whl is not a usable wheel", "RECORD")


def test_a_lock_for_another_python_than_that_of_the_base_is_refused(runner: RuleRunner) -> None:
    text = runner_lock(runner)
    text["requires_python"] = ["CPython==3.97.*"]
    runner.write_files({"services.lock": json.dumps(text)})
    refused(runner, "the lock of resolve 'services' was made for CPython==3.97.*")


def test_a_repository_without_resolves_works(runner: RuleRunner) -> None:
    wheels = Path(runner.build_root, "wheels")
    set_options(
        runner,
        "--no-python-enable-resolves",
        "--python-repos-indexes=[]",
        f"--python-repos-find-links=['file://{wheels}']",
    )
    (deps,) = dependencies(runner).layers
    # The wheel itself does not say that it needs `words`: only the lock of the tests does.
    assert [wheel.name for wheel in deps.layer.wheels] == ["greet"]
