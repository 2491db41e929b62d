"""Whatever a mirror or a pull request gives, the readers of Debian's files end with a right result
or a Failure."""

from __future__ import annotations

import json
import tarfile
import time
from pathlib import Path, PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from inseam.formats.debian.control import DebianError, paragraphs
from inseam.formats.debian.deb import read_deb
from inseam.formats.debian.deb_testing import Entry, deb_bytes, verify_nothing
from inseam.formats.debian.index import parse_packages
from inseam.formats.debian.lock import dump_lock, parse_lock
from inseam.formats.debian.lock_test import LOCK as GOOD_LOCK  # pants: no-infer-dep
from inseam.formats.debian.relations import parse_relations
from inseam.formats.debian.release import Trust, Unusable, read_inrelease
from inseam.formats.debian.request import parse_request
from inseam.formats.debian.suite import WantedSuite
from inseam.formats.debian.version import compare
from inseam.formats.failure import Failure
from inseam.formats.fuzz_testing import damaged, fuzzed, json_values, mutated

LOCK = json.loads(dump_lock(GOOD_LOCK))
PACKAGES = """\
Package: hello
Version: 1.0-1
Architecture: amd64
Depends: libc6 (>= 2.34), a | b
Filename: pool/main/h/hello/hello_1.0-1_amd64.deb
Size: 1234
SHA256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
Description: greets
 for
 long
"""
RELEASE = f"""\
Codename: bookworm
Date: Sat, 01 Jun 2024 10:00:00 UTC
Valid-Until: Sat, 01 Jun 2034 10:00:00 UTC
SHA256:
 {"a" * 64} 1234 main/binary-amd64/Packages.xz
"""
FIELDS = st.sampled_from(
    [*" \n\t:,|()[]<>=~+-.", "Package", "a", "0", "\x00", "\x1b", "\u0661", ">="]
)
TEXTS = st.lists(FIELDS, max_size=40).map("".join) | st.text(max_size=60)


@fuzzed
@given(TEXTS)
def test_control_data(text: str) -> None:
    try:
        assert all(isinstance(paragraph, dict) for paragraph in paragraphs(text))
    except Failure:
        pass


@fuzzed
@given(TEXTS | damaged(PACKAGES.encode()).map(lambda data: data.decode("utf-8", "replace")))
def test_indexes(text: str) -> None:
    try:
        for entry in parse_packages(text, "debian"):
            path = PurePosixPath(entry.package.path)
            assert not path.is_absolute()
            assert ".." not in path.parts
            assert "/" not in entry.package.file_name
    except Failure:
        pass


@fuzzed
@given(TEXTS | damaged(RELEASE.encode()).map(lambda data: data.decode("utf-8", "replace")))
def test_releases(text: str) -> None:
    signed = text.encode("utf-8", "replace")
    trust = Trust(verify_nothing, now=time.mktime((2025, 1, 1, 0, 0, 0, 0, 0, 0)))
    try:
        release = read_inrelease(
            signed, "http://mirror.invalid", WantedSuite("bookworm", "debian"), trust
        )
    except (Failure, Unusable):
        return
    assert release.suite.name == "bookworm"
    assert all(size >= 0 for _, size in release.hashes.values())


@fuzzed
@given(TEXTS)
def test_relations_and_versions(text: str) -> None:
    try:
        parse_relations(text)
    except Failure:
        pass
    try:
        assert compare(text, text) == 0
    except Failure:
        pass


@fuzzed
@given(TEXTS | st.just("[debian]\nrelease = bookworm\n").map(str))
def test_requests(text: str) -> None:
    try:
        parse_request(text)
    except Failure:
        pass


@fuzzed
@given(json_values | mutated(LOCK))
def test_locks(value: object) -> None:
    try:
        lock = parse_lock(json.dumps(value))
    except DebianError:
        return
    for packages in lock.packages.values():
        for locked in packages:
            name = locked.package.file_name
            assert "/" not in name
            assert name not in ("", ".", "..")
            path = PurePosixPath(locked.package.path)
            assert not path.is_absolute()
            assert ".." not in path.parts


NAMES = st.lists(
    st.sampled_from(["usr", "bin", "..", ".", "", "a", ".wh.a", ".wh..wh..opq", "\udcff", "n\n"]),
    min_size=1,
    max_size=5,
).map("/".join)


@fuzzed
@given(damaged(deb_bytes()))
def test_damaged_packages(tmp_path: Path, content: bytes) -> None:
    check_deb(tmp_path, content)


@fuzzed
@given(st.lists(st.tuples(NAMES, NAMES | st.none()), max_size=5))
def test_packages_with_odd_members(tmp_path: Path, members: list[tuple[str, str | None]]) -> None:
    entries = [
        Entry(name, kind=tarfile.SYMTYPE, link=link) if link else Entry(name, b"x")
        for name, link in members
    ]
    try:
        content = deb_bytes(entries=entries)
    except (ValueError, UnicodeError):
        return  # tarfile writes no such name
    check_deb(tmp_path, content)


def check_deb(folder: Path, content: bytes) -> None:
    path = folder / "hello_1.0-1_amd64.deb"
    path.write_bytes(content)
    try:
        deb = read_deb(str(path))
    except Failure:
        return
    for member in deb.members:
        parts = member.path.split("/")
        assert not {"", ".", ".."}.intersection(parts)
