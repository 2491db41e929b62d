"""Which base code gets, by its interpreter constraints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import inseam
from inseam.plan.tailor.bases import SHIPPED, Choice, allowed, choose_base


@pytest.mark.parametrize(
    "constraints, versions",
    [
        (["CPython==3.11.*"], ["3.11"]),
        ([">=3.10,<3.13"], ["3.10", "3.11", "3.12"]),
        (["CPython==3.11.4"], ["3.11"]),
        (["CPython==3.9.*", "CPython==3.12.*"], ["3.9", "3.12"]),
        (["???"], []),
        ([], []),
    ],
)
def test_the_versions_that_constraints_allow(constraints: list[str], versions: list[str]) -> None:
    assert allowed(constraints) == versions


@pytest.mark.parametrize(
    "constraints, choice",
    [
        ("CPython>=3.9", Choice()),
        ("CPython==3.12.*", Choice("docker:py312")),
        ("CPython==3.13.*", Choice("//:trixie", "trixie")),
        ("CPython==3.10.*", Choice(missing="3.10")),
    ],
)
def test_a_base_of_a_version_that_the_code_takes(constraints: str, choice: Choice) -> None:
    assert choose_base([constraints], "3.11", {"docker:py312": "3.12"}) == choice


def test_an_unknown_default_stays() -> None:
    assert choose_base(["CPython==3.12.*"], None, {"docker:py312": "3.12"}) == Choice()


@pytest.mark.parametrize("version", SHIPPED)
def test_the_lists_that_come_with_inseam_have_these_versions(version: str) -> None:
    lock = Path(inseam.__file__).parent / f"default_base/{SHIPPED[version]}.json"
    assert f"python{version}-minimal" in json.dumps(json.loads(lock.read_text()))
