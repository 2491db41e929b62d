"""What a package, an index or a lock holds at worst ends in an error that names it, soon."""

from __future__ import annotations

import io
import json
import lzma
import tarfile
from pathlib import Path

import pytest

from inseam.formats.debian import deb, index
from inseam.formats.debian.alternatives import alternatives_of
from inseam.formats.debian.control import DebianError, paragraphs
from inseam.formats.debian.deb import read_deb
from inseam.formats.debian.deb_testing import Entry, ar_bytes, deb_bytes, tar_bytes
from inseam.formats.debian.index import parse_packages
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock, parse_lock
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.relations import parse_provides
from inseam.formats.debian.request import Request

POOL = "pool/main/h/hello/hello_1.0-1_amd64.deb"
HELLO = DebianPackage("hello", "1.0-1", "amd64", "debian", POOL, 5, "a" * 64)
LOCK = DebianLock(
    Request("bookworm", ("amd64",), {"base": ("hello",)}), {"amd64": (LockedPackage(HELLO),)}
)
CONTROL = tar_bytes([Entry("./control", b"Package: a\nVersion: 1\nArchitecture: amd64\n")])
PARTS = (("debian-binary", b"2.0\n"), ("control.tar", CONTROL), ("data.tar", tar_bytes([])))


def refused(folder: Path, content: bytes) -> str:
    path = folder / "a_1_amd64.deb"
    path.write_bytes(content)
    with pytest.raises(DebianError) as caught:
        read_deb(str(path))
    text = str(caught.value)
    assert "a_1_amd64.deb" in text or "Debian package a 1" in text
    assert len(text) < 1000
    assert text.isprintable()
    return text


def test_the_parts_are_those_of_a_package(tmp_path: Path) -> None:
    path = tmp_path / "a.deb"
    path.write_bytes(ar_bytes(PARTS))
    assert read_deb(str(path)).name == "a"


@pytest.mark.parametrize(
    "version", [b"2.garbage", b"2.", b"2.0garbage", b"2.\xff\n", b"20.0\n", b""]
)
def test_the_format_is_a_number(tmp_path: Path, version: bytes) -> None:
    text = refused(tmp_path, ar_bytes([("debian-binary", version), *PARTS[1:]]))
    assert "is not a Debian package of format 2" in text


@pytest.mark.parametrize(
    "header",
    [
        f"{'':<58}`\n",
        f"{'':<48}{1:<10}`\n",
        f"{'x':<48}{-1:<10}`\n",
        f"{'x':<48}{'+1':<10}`\n",
        f"{'x':<48}{'1_0':<10}`\n",
        f"{'x':<48}{'':<10}`\n",
        f"{'a/../b':<48}{0:<10}`\n",
    ],
)
def test_members_of_ar_have_names_and_sizes(tmp_path: Path, header: str) -> None:
    text = refused(tmp_path, ar_bytes(PARTS) + header.encode() + b"x")
    assert "a garbled ar header" in text


def pax(records: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("./x")
        info.pax_headers = records
        archive.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize(
    "records",
    [
        {"size": "abc"},
        {"size": "9" * 5000},
        {"size": "-512"},
        {"GNU.sparse.map": "x", "GNU.sparse.size": "1"},
        {"GNU.sparse.map": "0,1", "GNU.sparse.realsize": "9" * 30, "GNU.sparse.major": "0"},
        {"path": "\0"},
        {"path": "../x"},
        {"size": str(1 << 40)},
    ],
)
def test_extended_headers_are_read_with_care(tmp_path: Path, records: dict[str, str]) -> None:
    path = tmp_path / "a_1_amd64.deb"
    path.write_bytes(ar_bytes([*PARTS[:2], ("data.tar", pax(records))]))
    try:
        members = read_deb(str(path)).members
    except DebianError:
        return
    assert [(member.path, member.size) for member in members] == [("x", 0)]


@pytest.mark.parametrize("compression", [".xz", ".gz"])
def test_what_unpacks_to_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str
) -> None:
    monkeypatch.setattr(deb, "LARGEST_UNPACKED", 1 << 20)
    content = deb_bytes(
        "a", [Entry("./x", b"\0" * (2 << 20))], version="1", compression=compression
    )
    assert "it unpacks to more than 1048576 bytes" in refused(tmp_path, content)


def test_an_index_that_unpacks_to_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LARGEST_PACKAGES", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        index._unpacked(lzma.compress(b"x" * 1001))


PACKAGE = f"""\
Package: hello
Version: 1.0-1
Architecture: amd64
Filename: pool/main/h/hello/hello_1.0-1_amd64.deb
Size: 1234
SHA256: {"a" * 64}
"""


@pytest.mark.parametrize(
    "before, after, why",
    [
        ("1234", "²", "the Size of 'hello' is '²'"),
        ("1234", "9" * 5000, "the Size of 'hello' is '9999"),
        ("1234", "-1", "the Size of 'hello' is '-1'"),
        ("Size: 1234\n", "", "'hello' has no Size"),
        ("Package: hello", "Package: " + "h" * 300, "longer than the 255 characters"),
        ("Version: 1.0-1", "Version: " + "1" * 5000, "is not a Debian version number"),
    ],
)
def test_entries_of_an_index_are_checked(before: str, after: str, why: str) -> None:
    with pytest.raises(DebianError, match="a Packages file of debian has a bad entry") as caught:
        parse_packages(PACKAGE.replace(before, after), "debian")
    assert why in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "field, value, why",
    [
        ("name", "h" * 300, "longer than the 255 characters of the name of a file"),
        ("version", "9" * 5000, "is not a Debian version number"),
        ("version", "1\x1b[2J", r"1\x1b[2J"),
        ("size", -5, "`size` must be from 0"),
        ("size", 1 << 60, "`size` must be from 0"),
    ],
)
def test_packages_of_a_lock_are_checked(field: str, value: object, why: str) -> None:
    document = json.loads(dump_lock(LOCK))
    document["packages"]["amd64"][0][field] = value
    with pytest.raises(DebianError, match="^x.json: `packages` for amd64, entry 1") as caught:
        parse_lock(json.dumps(document), "x.json")
    assert why in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "date", ["2026-99-99T99:99:99Z", "٢026-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
)
def test_dates_of_a_lock_are_dates(date: str) -> None:
    document = json.loads(dump_lock(LOCK))
    document["suites"] = [{"name": "bookworm", "archive": "debian", "date": date}]
    with pytest.raises(DebianError, match="`suites` entry 1: `archive` or `date` is wrong"):
        parse_lock(json.dumps(document), "x.json")


def test_a_lock_with_a_number_of_thousands_of_digits_is_not_read() -> None:
    with pytest.raises(DebianError, match="a number of 5000 digits"):
        parse_lock('{"lock_version": ' + "9" * 5000 + "}", "x.json")


def test_a_provides_field_has_no_alternatives() -> None:
    with pytest.raises(DebianError, match="provides alternatives"):
        parse_provides("a, b | c")


def test_variables_of_a_script_do_not_multiply() -> None:
    lines = ["a0='x x x x x x x x x x'"]
    lines += [f'a{number + 1}="$a{number} $a{number}"' for number in range(60)]
    lines.append("update-alternatives --install /usr/bin/x x $a60 1")
    assert alternatives_of("\n".join(lines)) == []


def test_a_field_of_many_lines_is_read_in_one_go() -> None:
    text = "Description: x\n" + " y\n" * 200_000
    (paragraph,) = paragraphs(text)
    assert paragraph["Description"].count("\n") == 200_000
