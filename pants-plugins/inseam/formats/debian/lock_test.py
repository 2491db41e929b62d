from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.lock import (
    DebianLock,
    LockedPackage,
    check_current,
    dump_lock,
    parse_lock,
)
from inseam.formats.debian.package import DebianPackage, dump_package, load_package
from inseam.formats.debian.request import Request
from inseam.formats.debian.suite import Suite

HELLO = DebianPackage(
    name="hello",
    version="1:1.0-1",
    architecture="amd64",
    archive="debian",
    path="pool/main/h/hello/hello_1.0-1_amd64.deb",
    size=1234,
    sha256="ab" * 32,
)
TINI = replace(HELLO, name="tini")
REQUEST = Request(
    release="bookworm",
    architectures=("amd64", "arm64"),
    groups={"base": ("hello",), "debug": ("tini",), "init": ("tini",)},
    omit={"debconf": "asks questions"},
)
LOCKED = LockedPackage(HELLO)
FOR_ALL = LockedPackage(replace(HELLO, architecture="all"))
LOCK = DebianLock(
    REQUEST,
    {"amd64": (LOCKED, LockedPackage(TINI, ("debug", "init"))), "arm64": (FOR_ALL,)},
    (Suite("bookworm", "debian", "2026-11-25T08:00:00Z"),),
)


def test_a_lock_survives_writing_and_reading() -> None:
    assert parse_lock(dump_lock(LOCK)) == LOCK


def test_a_lock_has_the_time_of_a_snapshot_with_its_packages() -> None:
    lock = replace(LOCK, snapshot="20261125T140000Z")
    assert parse_lock(dump_lock(lock)) == lock
    # Indexes that were made at 8 have a snapshot before those of six hours later.
    assert LOCK.timestamp == lock.timestamp == "20261125T140000Z"
    assert replace(LOCK, suites=()).timestamp == ""
    bad = dump_lock(lock).replace("20261125T140000Z", "../../etc")
    with pytest.raises(DebianError, match="`snapshot` must be like"):
        parse_lock(bad)


def test_equal_locks_have_equal_texts_whatever_their_order() -> None:
    request = replace(
        REQUEST,
        architectures=("arm64", "amd64"),
        groups=dict(reversed(list(REQUEST.groups.items()))),
    )
    packages = {"arm64": (FOR_ALL,), "amd64": LOCK.packages["amd64"][::-1]}
    other = DebianLock(request, packages, LOCK.suites)
    assert dump_lock(other) == dump_lock(LOCK)


def test_a_lock_names_no_mirror() -> None:
    assert "://" not in dump_lock(LOCK)


def test_groups_select_packages() -> None:
    assert LOCK.select("amd64") == (HELLO,)
    assert LOCK.select("amd64", ["init"]) == (HELLO, TINI)
    assert LOCK.select("arm64", ["init"]) == (FOR_ALL.package,)


@pytest.mark.parametrize(
    "architecture, groups, why",
    [("riscv64", [], "only for amd64, arm64"), ("amd64", ["shell"], "only base, debug, init")],
)
def test_a_selection_that_cannot_be_made_says_what_there_is(
    architecture: str, groups: list[str], why: str
) -> None:
    with pytest.raises(DebianError, match=why):
        LOCK.select(architecture, groups)


def test_a_lock_of_another_list_is_noticed() -> None:
    check_current(LOCK, REQUEST)
    with pytest.raises(DebianError, match="does not match the list of packages"):
        check_current(LOCK, replace(REQUEST, omit={}))


def changed(*path: object, value: object = None) -> str:
    """The lock's text with the value at `path` changed, or removed where `value` is not given."""
    document = json.loads(dump_lock(LOCK))
    *above, last = path
    place: Any = document
    for step in above:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


def entry(field: str, value: object = None) -> str:
    return changed("packages", "amd64", 1, field, value=value)


IN_TINI = "`packages` for amd64, entry 2 (tini): "


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "not a lock"),
        ("[]", "the lock must be an object, but is []"),
        ("[" * 100_000, "not a lock"),
        ("{}", "`lock_version` must be 2, but is None"),
        ('{"lock_version": 1}', "`lock_version` must be 2, but is 1"),
        (changed("request"), "the lock has no `request`"),
        (changed("request", "release", value=7), "`release` must be a string, but is 7"),
        (changed("request", "architectures", value="amd64"), "`architectures` must be a list of"),
        (changed("request", "groups", value=[]), "`groups` must be an object"),
        (changed("request", "groups", "base"), "[base] must name packages"),
        (changed("request", "omit", value={"x": 1}), "`omit` 'x' must be a string"),
        (changed("suites"), "the lock has no `suites`"),
        (changed("suites", 0, "date"), "`suites` entry 1 has no `date`"),
        (changed("suites", 0, "date", value="now"), "`suites` entry 1: `archive` or `date`"),
        (changed("packages", value=[]), "`packages` must be an object"),
        (changed("packages", "arm64"), "`packages` must be for amd64, arm64"),
        (changed("packages", "amd64", value={}), "`packages` for amd64 must be a list"),
        (changed("packages", "amd64", 1, value="tini"), "entry 2 must describe a package"),
        *((entry(field), f"entry 2 has no `{field}`") for field in vars(HELLO)),
        (entry("groups"), "entry 2 (tini) has no `groups`"),
        (entry("name", "../x"), "`name` must be the name of a package, but is '../x'"),
        (entry("name", 7), "`name` must be a string, but is 7"),
        (entry("name", "hello"), "entry 2 (hello) appears twice"),
        (entry("version", "1 0"), IN_TINI + "'1 0' is not a Debian version"),
        (entry("version", ["1"]), IN_TINI + "`version` must be a string"),
        (entry("architecture", "../../../x"), IN_TINI + "`architecture` must be the name of an"),
        (entry("architecture", "arm64"), "`architecture` must be amd64 or all, but is 'arm64'"),
        (entry("archive", "ubuntu"), IN_TINI + "`archive` must be debian or debian-security"),
        (entry("path", "/etc/passwd"), IN_TINI + "`path` must be a path below pool/"),
        (entry("path", "pool/../../x"), IN_TINI + "`path` must be a path below pool/"),
        (entry("path", "pool//x"), IN_TINI + "`path` must be a path below pool/"),
        (entry("path", "pool/x?y"), IN_TINI + "`path` must be a path below pool/"),
        (entry("size", "many"), IN_TINI + "`size` must be a whole number, but is 'many'"),
        (entry("size", True), IN_TINI + "`size` must be a whole number"),
        (entry("size", -1), IN_TINI + "`size` must be from 0 to"),
        (entry("sha256", "abc"), IN_TINI + "`sha256` must be 64 hexadecimal digits"),
        (entry("groups", "base"), "entry 2 (tini): `groups` must be a list of strings"),
        (entry("groups", ["other"]), "`groups` must be groups of `request`"),
        (entry("groups", []), "`groups` must be groups of `request`"),
    ],
)
def test_a_bad_lock_is_named_with_entry_and_field(text: str, why: str) -> None:
    with pytest.raises(DebianError) as caught:
        parse_lock(text, "lockfiles/x.json")
    assert why in str(caught.value)
    assert str(caught.value).startswith("lockfiles/x.json")
    assert "./pants generate-lockfiles --resolve=x" in str(caught.value)


def test_a_package_tells_its_file_name() -> None:
    assert HELLO.file_name == "hello_1%3a1.0-1_amd64.deb"


def test_a_package_survives_writing_and_reading() -> None:
    assert load_package(dump_package(HELLO)) == HELLO
    with pytest.raises(DebianError, match="is not JSON"):
        load_package("{")
