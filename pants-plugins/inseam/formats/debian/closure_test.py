from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from inseam.formats.debian.closure import resolve
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import IndexEntry
from inseam.formats.debian.package import DebianPackage

ENTRY = DebianPackage("name", "1.0-1", "amd64", "debian", "pool/main/x", 1, "0" * 64)


def index(**packages: str) -> dict[str, IndexEntry]:
    """Keyword `name="depends; provides; section"`, with `_` for `-`; the version is 1.0-1."""
    found = {}
    for key, value in packages.items():
        name = key.replace("_", "-")
        depends, provides, section = (*value.split(";"), "", "")[:3]
        found[name] = IndexEntry(
            replace(ENTRY, name=name), depends.strip(), provides.strip(), section.strip()
        )
    return found


CHAIN = index(app="lib (>= 1.0), data", lib="libc", libc="gcc", gcc="libc", data="", other="app")
PYTHON = index(**{"python3.9-minimal": "libt64", "sh": "libt64", "libt64": "; lib (= 1.0-1); libs"})


@pytest.mark.parametrize(
    "roots, candidates, omit, expected",
    [
        (["app"], CHAIN, [], "app data gcc lib libc"),
        (["gcc"], CHAIN, [], "gcc libc"),
        (["app"], CHAIN, ["lib"], "app data"),
        (["app", "gcc"], CHAIN, ["lib"], "app data gcc libc"),
        # A library is left out for Python only, whatever the release calls it; programs need it.
        (["sh"], index(sh="lib", lib="; ; libs"), ["lib"], "lib sh"),
        (["sh"], index(sh="debconf", debconf="; ; admin"), ["debconf"], "sh"),
        (["python3.9-minimal"], PYTHON, ["lib"], "python3.9-minimal"),
        (["python3.9-minimal", "sh"], PYTHON, ["lib"], "libt64 python3.9-minimal sh"),
        # Of alternatives: one that is there, else one left out, else the first that can be had.
        (["aa"], index(aa="xx | yy", xx="", yy=""), [], "aa xx"),
        (["aa", "yy"], index(aa="xx | yy", xx="", yy=""), [], "aa yy"),
        (["aa"], index(aa="xx | yy", xx="", yy=""), ["yy"], "aa"),
        (["aa", "yy"], index(aa="xx | yy", xx="", yy=""), ["xx"], "aa yy"),
        (["aa"], index(aa="gone | yy", yy=""), [], "aa yy"),
        (["aa"], index(aa="xx (>= 2) | yy", xx="", yy=""), [], "aa yy"),
        # Virtual packages.
        (["aa"], index(aa="virtual", pp="; virtual", qq="; virtual"), [], "aa pp"),
        (["aa", "qq"], index(aa="virtual", pp="; virtual", qq="; virtual"), [], "aa qq"),
        (["aa"], index(aa="virtual", pp="; virtual"), ["virtual"], "aa"),
        (["aa"], index(aa="virtual", pp="; virtual"), ["pp"], "aa"),
        (["aa"], index(aa="vv (>= 2)", pp="; vv (= 1)", qq="; vv (= 2)"), [], "aa qq"),
        (["aa"], index(aa="vv", vv="", pp="; vv"), [], "aa vv"),
    ],
)
def test_closures(
    roots: list[str], candidates: dict[str, IndexEntry], omit: list[str], expected: str
) -> None:
    for order in itertools.permutations(roots):
        assert " ".join(resolve(order, candidates, omit).packages) == expected


def test_the_closure_tells_which_omissions_were_of_use() -> None:
    closure = resolve(["app"], CHAIN, ["lib", "unrelated"])
    assert closure.left_out == {"lib"}


@pytest.mark.parametrize(
    "roots, candidates, omit, why",
    [
        (["nope"], CHAIN, [], "no package nope"),
        (["app"], CHAIN, ["app"], "both listed and left out"),
        (["aa"], index(aa="bb", bb="cc | dd"), [], r"aa -> bb needs cc \| dd"),
        (["aa"], index(aa="bb (>= 2)", bb=""), [], r"aa needs bb \(>= 2\)"),
        (["aa"], index(aa="vv (>= 2)", pp="; vv"), [], r"aa needs vv \(>= 2\)"),
    ],
)
def test_what_cannot_be_had_is_explained(
    roots: list[str], candidates: dict[str, IndexEntry], omit: list[str], why: str
) -> None:
    with pytest.raises(DebianError, match=why):
        resolve(roots, candidates, omit)
