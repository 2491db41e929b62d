from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.names import FileName
from inseam.rules.rule_testing import failure, files_of, rule_runner, set_options
from inseam.rules.wheels.files import FetchedFile, FileRequest, local_path

CONTENT = b"a wheel"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = FileName("words-1.0-py3-none-any.whl")


@pytest.mark.parametrize(
    "url, path",
    [
        ("file:wheels/words.whl", "wheels/words.whl"),
        ("file:wheels/a%20b.whl", "wheels/a b.whl"),
        ("file:///wheels/words.whl", ""),
        ("https://x.example/words.whl", ""),
    ],
)
def test_only_urls_without_a_leading_slash_are_paths_of_the_repository(url: str, path: str) -> None:
    assert local_path(url) == path


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    runner = rule_runner(QueryRule(FetchedFile, [FileRequest]), layers=False)
    set_options(runner)
    return runner


def request(url: str, sha256: str = SHA256) -> FileRequest:
    return FileRequest("words", url, sha256, NAME)


def test_a_file_of_the_repository_is_checked_and_lies_at_the_root(runner: RuleRunner) -> None:
    runner.write_files({f"vendor/{NAME}": CONTENT})
    fetched = runner.request(FetchedFile, [request(f"file:vendor/{NAME}")])
    assert files_of(runner, fetched.digest) == {NAME: CONTENT}
    assert fetched.size == len(CONTENT)
    why = failure(runner, FetchedFile, request(f"file:vendor/{NAME}", "0" * 64))
    assert why.startswith(f"vendor/{NAME} is not the locked file: its sha256 is {SHA256}")


@pytest.mark.parametrize("path", ["vendor/gone.whl", "../outside.whl"])
def test_a_file_that_the_repository_does_not_have_is_named(runner: RuleRunner, path: str) -> None:
    why = failure(runner, FetchedFile, request(f"file:{path}"))
    assert why.startswith(f"{path} is named in a lock, but is not in the repository.")


def test_a_file_elsewhere_is_fetched_and_checked(runner: RuleRunner, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    url = (tmp_path / NAME).as_uri()
    fetched = runner.request(FetchedFile, [request(url)])
    assert files_of(runner, fetched.digest) == {NAME: CONTENT}
    assert f"{NAME} is not the locked file" in failure(runner, FetchedFile, request(url, "1" * 64))
