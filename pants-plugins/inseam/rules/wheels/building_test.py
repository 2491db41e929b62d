"""A backend that builds wheels is asked through the union, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.compat import implicitly, rule
from inseam.formats.glibc import GlibcVersion
from inseam.plan.artifacts import LockedArchive
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import BasePython
from inseam.rules.wheels.building import BuildResult, BuildWheelRequest, built_wheel

SOURCE = LockedArchive("words", "1.0", "0" * 64, "https://x.example/words-1.0.tar.gz", None)
PYTHON = BasePython(
    Address("", target_name="base"),
    PythonPlatform("amd64", "3.11.2", GlibcVersion(2, 36)),
    "/usr/bin/python3.11",
    True,
)


class ToyBuild(BuildWheelRequest):
    """A wheel that nothing builds."""


@dataclass(frozen=True)
class Wanted:
    source: LockedArchive


@dataclass(frozen=True)
class Answer:
    why: str


@rule
async def toy_build(request: ToyBuild) -> BuildResult:
    return BuildResult(None, f"{request.source.name} for {request.python.address}")


@rule
async def ask(wanted: Wanted) -> Answer:
    request = ToyBuild(wanted.source, PYTHON)
    result = await built_wheel(**implicitly({request: BuildWheelRequest}))
    return Answer(result.why)


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    return RuleRunner(
        rules=[
            *collect_rules(globals()),
            UnionRule(BuildWheelRequest, ToyBuild),
            QueryRule(Answer, [Wanted]),
        ]
    )


def test_the_member_of_a_backend_answers(runner: RuleRunner) -> None:
    assert runner.request(Answer, [Wanted(SOURCE)]).why == "words for //:base"
