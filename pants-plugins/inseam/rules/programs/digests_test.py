from __future__ import annotations

from dataclasses import dataclass

import pytest
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.rules import collect_rules
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.compat import rule
from inseam.rules.programs.digests import file_content, written
from inseam.rules.rule_testing import files_of

FILES = (("a/b.txt", b"one"), ("[c].bin", bytes(range(256))))


@dataclass(frozen=True)
class Wanted:
    files: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Made:
    digest: Digest
    contents: tuple[bytes, ...]


@rule
async def make(wanted: Wanted) -> Made:
    digest = await written(dict(wanted.files))
    return Made(digest, tuple([await file_content(digest, path) for path, _ in wanted.files[:1]]))


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    from pants.engine.fs import DigestContents

    return RuleRunner(
        rules=[
            *collect_rules(globals()),
            QueryRule(Made, [Wanted]),
            QueryRule(DigestContents, [Digest]),
        ]
    )


def test_files_are_what_they_were_written_as(runner: RuleRunner) -> None:
    made = runner.request(Made, [Wanted(FILES)])
    assert files_of(runner, made.digest) == dict(FILES)
    assert made.contents == (b"one",)


def test_no_files_are_the_empty_digest(runner: RuleRunner) -> None:
    assert runner.request(Made, [Wanted(())]).digest == EMPTY_DIGEST
