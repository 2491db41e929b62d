from __future__ import annotations

import itertools

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.version import compare, satisfies

# Each line is smaller than the next one (policy 5.6.12, and cases that come up in the archive).
ASCENDING = [
    "0~~",
    "0~~a",
    "0~",
    "0",
    "0a",
    "0+b1",
    "0.1",
    "1.0~beta1~svn1245",
    "1.0~beta1",
    "1.0",
    "1.0-1~bpo12+1",
    "1.0-1",
    "1.0-1+b1",
    "1.0-1+deb12u1",
    "1.0-1+deb12u2",
    "1.0-1+deb12u10",
    "1.0-1.1",
    "1.0-2",
    "1.0-10",
    "1.0a-1",
    "1.0+dfsg-1",
    "1.0.1-1",
    "1.9",
    "1.10",
    "2.36-9+deb12u14",
    "2026f-0+deb12u1",
    "20250419~deb12u2",
    "1:0.1",
    "1:1.2.13.dfsg-1",
    "2:0",
    "10:0",
]


def test_versions_are_ordered_as_policy_says() -> None:
    for (i, one), (j, two) in itertools.product(enumerate(ASCENDING), repeat=2):
        assert compare(one, two) == (i > j) - (i < j), (one, two)


@pytest.mark.parametrize(
    "one, two",
    [("1.0", "1.0-0"), ("1.0", "0:1.0"), ("1.00", "1.0"), ("1.0-01", "1.0-1"), ("a", "a0")],
)
def test_some_different_texts_are_equal_versions(one: str, two: str) -> None:
    assert compare(one, two) == 0


def test_a_hyphen_belongs_to_the_upstream_version_but_for_the_last() -> None:
    assert compare("1-2-3", "1-2-4") == -1
    assert compare("1-2-3", "1-3-1") == -1


@pytest.mark.parametrize(
    "relation, expected",
    [
        ("<<", [True, False, False]),
        ("<=", [True, True, False]),
        ("=", [False, True, False]),
        (">=", [False, True, True]),
        (">>", [False, False, True]),
    ],
)
def test_relations(relation: str, expected: list[bool]) -> None:
    assert [satisfies(v, relation, "1.0-2") for v in ("1.0-1", "1.0-2", "1.0-3")] == expected


@pytest.mark.parametrize("version", ["", "1.0 2", "x:1", ":1", "1_0", "-1"])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(DebianError, match="version"):
        compare(version, "1")


def test_an_unknown_relation_is_refused() -> None:
    with pytest.raises(DebianError, match="relation"):
        satisfies("1", "==", "1")
