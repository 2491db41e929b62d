from __future__ import annotations

from dataclasses import replace

import pytest
from pants.engine.fs import EMPTY_DIGEST
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.plan.python_lock import Artifact, Distribution, Part, PythonLock
from inseam.rules.base.base import Base, BasePython, BaseRequest
from inseam.rules.layers.compressors import Compressors, CompressorsRequest, pinned
from inseam.rules.rule_testing import BASE, files_of, rule_runner, set_options


def test_requirements_are_pinned_with_the_hashes_of_all_files() -> None:
    artifacts = tuple(Artifact(f"https://x.example/{one}", "sha256", one) for one in ("aa", "bb"))
    items = (Distribution("one", "1.0", artifacts), Distribution("two", "2", artifacts[:1]))
    assert pinned(PythonLock("x.lock", (Part(items),), "")) == (
        "one==1.0 --hash=sha256:aa --hash=sha256:bb\ntwo==2 --hash=sha256:aa\n"
    )


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    runner = rule_runner(
        QueryRule(Base, [BaseRequest]), QueryRule(Compressors, [CompressorsRequest]), layers=False
    )
    set_options(runner)
    runner.write_files({"BUILD": BASE})
    return runner


def python(runner: RuleRunner) -> BasePython:
    return runner.request(Base, [BaseRequest("//:base", None)]).python


def test_compressors_are_modules_for_the_python_that_makes_layers(runner: RuleRunner) -> None:
    made = runner.request(Compressors, [CompressorsRequest(python(runner))])
    tops = {path.split("/")[0].split(".")[0] for path in files_of(runner, made.digest)}
    assert {"deflate", "zstandard"} <= tops


def test_a_free_threaded_python_gets_none(runner: RuleRunner) -> None:
    known = python(runner)
    free = replace(known, platform=replace(known.platform, free_threaded=True))
    assert runner.request(Compressors, [CompressorsRequest(free)]).digest == EMPTY_DIGEST
