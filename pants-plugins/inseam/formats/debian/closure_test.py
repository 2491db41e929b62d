from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from inseam.formats.debian.closure import resolve
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import IndexEntry

ENTRY = IndexEntry("", "1.0-1", "amd64", "debian", "pool/main/x", 1, "0" * 64)


def index(**packages: str) -> dict[str, IndexEntry]:
    """Keyword `name="depends; provides"`, with `_` for `-`; the version is 1.0-1."""
    found = {}
    for key, value in packages.items():
        name = key.replace("_", "-")
        depends, _, provides = value.partition(";")
        found[name] = replace(ENTRY, name=name, depends=depends.strip(), provides=provides.strip())
    return found


CHAIN = index(app="lib (>= 1.0), data", lib="libc", libc="gcc", gcc="libc", data="", other="app")


@pytest.mark.parametrize(
    "roots, candidates, omit, expected",
    [
        (["app"], CHAIN, [], "app data gcc lib libc"),
        (["gcc"], CHAIN, [], "gcc libc"),
        (["app"], CHAIN, ["lib"], "app data"),
        (["app", "gcc"], CHAIN, ["lib"], "app data gcc libc"),
        # Of alternatives: one that is there, else one left out, else the first that can be had.
        (["a"], index(a="x | y", x="", y=""), [], "a x"),
        (["a", "y"], index(a="x | y", x="", y=""), [], "a y"),
        (["a"], index(a="x | y", x="", y=""), ["y"], "a"),
        (["a", "y"], index(a="x | y", x="", y=""), ["x"], "a y"),
        (["a"], index(a="gone | y", y=""), [], "a y"),
        (["a"], index(a="x (>= 2) | y", x="", y=""), [], "a y"),
        # Virtual packages.
        (["a"], index(a="virtual", p="; virtual", q="; virtual"), [], "a p"),
        (["a", "q"], index(a="virtual", p="; virtual", q="; virtual"), [], "a q"),
        (["a"], index(a="virtual", p="; virtual"), ["virtual"], "a"),
        (["a"], index(a="virtual", p="; virtual"), ["p"], "a"),
        (["a"], index(a="v (>= 2)", p="; v (= 1)", q="; v (= 2)"), [], "a q"),
        (["a"], index(a="v", v="", p="; v"), [], "a v"),
    ],
)
def test_closures(
    roots: list[str], candidates: dict[str, IndexEntry], omit: list[str], expected: str
) -> None:
    for order in itertools.permutations(roots):
        assert " ".join(resolve(order, candidates, omit).packages) == expected


def test_the_closure_tells_which_omissions_were_of_use() -> None:
    closure = resolve(["app"], CHAIN, ["lib", "unrelated"])
    assert closure.omitted == {"lib"}


@pytest.mark.parametrize(
    "roots, candidates, omit, why",
    [
        (["nope"], CHAIN, [], "no package nope"),
        (["app"], CHAIN, ["app"], "both asked for and left out"),
        (["a"], index(a="b", b="c | d"), [], r"a -> b needs c \| d"),
        (["a"], index(a="b (>= 2)", b=""), [], r"a needs b \(>= 2\)"),
        (["a"], index(a="v (>= 2)", p="; v"), [], r"a needs v \(>= 2\)"),
    ],
)
def test_what_cannot_be_had_is_explained(
    roots: list[str], candidates: dict[str, IndexEntry], omit: list[str], why: str
) -> None:
    with pytest.raises(DebianError, match=why):
        resolve(roots, candidates, omit)
