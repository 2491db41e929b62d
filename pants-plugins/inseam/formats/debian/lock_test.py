from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.lock import (
    DebianLock,
    LockedPackage,
    Request,
    check_current,
    dump_lock,
    parse_lock,
    parse_request,
)

HELLO = LockedPackage(
    name="hello",
    version="1:1.0-1",
    architecture="amd64",
    archive="debian",
    path="pool/main/h/hello/hello_1.0-1_amd64.deb",
    size=1234,
    sha256="ab" * 32,
)
TINI = replace(HELLO, name="tini", groups=("debug", "init"))
REQUEST = Request(
    release="bookworm",
    architectures=("amd64", "arm64"),
    groups={"base": ("hello",), "debug": ("tini",), "init": ("tini",)},
    omit={"debconf": "asks questions"},
)
LOCK = DebianLock(REQUEST, {"amd64": (HELLO, TINI), "arm64": (HELLO,)})

LIST = """\
# Packages.
[release]
name = bookworm
architectures = arm64 amd64

[base]
hello  # says hello
[debug]
tini
[init]
tini
[omit]
debconf = asks questions
"""


def test_a_lock_survives_writing_and_reading() -> None:
    assert parse_lock(dump_lock(LOCK)) == LOCK


def test_equal_locks_have_equal_texts_whatever_their_order() -> None:
    request = replace(
        REQUEST,
        architectures=("arm64", "amd64"),
        groups=dict(reversed(list(REQUEST.groups.items()))),
    )
    other = DebianLock(request, {"arm64": (HELLO,), "amd64": (TINI, HELLO)})
    assert dump_lock(other) == dump_lock(LOCK)


def test_a_lock_names_no_mirror() -> None:
    assert "://" not in dump_lock(LOCK)


def test_groups_select_packages() -> None:
    assert LOCK.select("amd64") == (HELLO,)
    assert LOCK.select("amd64", ["init"]) == (HELLO, TINI)
    assert LOCK.select("arm64", ["init"]) == (HELLO,)


@pytest.mark.parametrize(
    "architecture, groups, why",
    [("riscv64", [], "only for amd64, arm64"), ("amd64", ["shell"], "only base, debug, init")],
)
def test_a_selection_that_cannot_be_made_says_what_there_is(
    architecture: str, groups: list[str], why: str
) -> None:
    with pytest.raises(DebianError, match=why):
        LOCK.select(architecture, groups)


def test_a_list_of_packages_is_read() -> None:
    assert parse_request(LIST.replace("  # says hello", "")) == REQUEST


def test_a_lock_of_another_list_is_noticed() -> None:
    check_current(LOCK, REQUEST)
    with pytest.raises(DebianError, match="generate-lockfiles --resolve=debian-bookworm"):
        check_current(LOCK, replace(REQUEST, omit={}))


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "release"),
        ("[release]\nname = bookworm\n[base]\nhello\n", "architectures"),
        ("[release]\nname = bookworm\narchitectures = amd64\n", r"\[base\] must name packages"),
        (LIST, "'hello  # says hello' is not the name"),
        (LIST.replace("  # says hello", "") + "dash\n", "say why dash is left out"),
        ("hello\n", "packages.ini"),
        ("[base]\nhello\nhello\n", "packages.ini"),
    ],
)
def test_a_bad_list_is_named(text: str, why: str) -> None:
    with pytest.raises(DebianError, match=why) as caught:
        parse_request(text, "packages.ini")
    assert "packages.ini" in str(caught.value)


def _changed(**fields: Any) -> str:
    document = json.loads(dump_lock(LOCK))
    document["packages"]["amd64"][0].update(fields)
    return json.dumps(document)


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "not a lock"),
        ("[]", "not a lock"),
        ("{}", "not a lock"),
        ('{"lock_version": 2}', "lock_version is not 1"),
        (_changed(name="../x"), "not the name"),
        (_changed(version="1 0"), "not a Debian version"),
        (_changed(sha256="abc"), "has no sha256"),
        (_changed(archive="ubuntu"), "unknown archive"),
        (_changed(path="/etc/passwd"), "bad path"),
        (_changed(path="pool/../../x"), "bad path"),
        (_changed(size="many"), "not a lock"),
        (_changed(groups="base"), "not a list of texts"),
    ],
)
def test_a_bad_lock_is_named(text: str, why: str) -> None:
    with pytest.raises(DebianError, match=why) as caught:
        parse_lock(text, "lockfiles/x.json")
    assert "lockfiles/x.json" in str(caught.value)
    assert "./pants generate-lockfiles" in str(caught.value)


def test_a_package_tells_its_file_name_and_how_to_fetch_it() -> None:
    assert HELLO.file_name == "hello_1%3a1.0-1_amd64.deb"
    assert f"--sha256={'ab' * 32}" in HELLO.fetch_arguments()
