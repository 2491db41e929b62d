"""Whatever an index, a repository or an archive gives, what reads it ends with a right result or an
error of ours."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from inseam.formats import elf
from inseam.formats.debian.alternatives import alternatives_of
from inseam.formats.debian.deb_testing import elf_bytes
from inseam.formats.failure import Failure, without_credentials
from inseam.formats.folder import Bounds
from inseam.formats.foreign_text import foreign_text, foreign_word
from inseam.formats.fuzz_testing import damaged, fuzzed, mutated
from inseam.formats.names import file_name, relative_path
from inseam.formats.numbers import whole_number
from inseam.formats.oci.flatten import read_entries
from inseam.formats.python.archive import parse_location
from inseam.formats.python.index_page import read_page
from inseam.formats.python.repository import COMMIT, parse_revision
from inseam.formats.python.requires import requires
from inseam.formats.python.source import unpack
from inseam.formats.python.wheel_testing import build_wheel
from inseam.formats.rootfs.archive import read_archive

HTML = st.lists(
    st.sampled_from(
        [
            "<a ",
            "<base ",
            "href",
            "=",
            "'",
            '"',
            ">",
            "</a>",
            "<!--",
            "-->",
            "x-1.whl",
            "&#9;",
            "//[",
        ]
    ),
    max_size=30,
).map("".join)
PAGE = {"files": [{"filename": "a-1.zip", "url": "a-1.zip", "hashes": {"sha256": "a" * 64}}]}


@fuzzed
@given(
    HTML.map(str.encode) | st.binary(max_size=60) | mutated(PAGE).map(json.dumps).map(str.encode)
)
def test_pages_of_an_index(content: bytes) -> None:
    try:
        files = read_page(content, "https://h.invalid/simple/x/")
    except Failure:
        return
    assert all(file.sha256 == "" or len(file.sha256) == 64 for file in files)


URLS = st.lists(
    st.sampled_from(
        [
            *(
                "git+",
                "https:",
                "ssh:",
                "file:",
                "ext::",
                "//",
                "/",
                "@",
                "-",
                "h",
                "u:p",
                ":",
                "%2d",
            ),
            *("a" * 40, "#subdirectory=", "..", ".lock", "\n", "\x00", "é", "[", "]", "?", " "),
        ]
    ),
    max_size=12,
).map("".join)


@fuzzed
@given(URLS)
def test_revisions_of_repositories(url: str) -> None:
    try:
        found = parse_revision(url, "x")
    except Failure:
        return
    assert found.repository.startswith(("https://", "ssh://", "file:///"))
    assert not found.name.startswith("-")
    assert not {"", ".", ".."}.intersection(found.subdirectory.split("/")) or not found.subdirectory
    assert found.repository.isprintable()
    assert found.commit is None or COMMIT.fullmatch(found.commit)
    assert parse_revision(found.url, "x") == found


@fuzzed
@given(st.text(max_size=80) | URLS, st.integers(1, 50))
def test_foreign_texts_are_printed_with_care(text: str, width: int) -> None:
    assert foreign_word(text, width=width).isprintable()
    assert all(line.startswith("| ") for line in foreign_text(text, width=width).splitlines())
    shown = without_credentials(f"https://user:secret@h.invalid/{text}")
    assert "user" not in shown.partition("h.invalid")[0]


@fuzzed
@given(st.text(max_size=20) | URLS)
def test_names_and_numbers(text: str) -> None:
    for read in (file_name, relative_path):
        with contextlib.suppress(Failure):
            assert not f"{read(text, 'x')}/".startswith(("/", "-", "./", "../"))
    with contextlib.suppress(Failure):
        parse_location(text)
    number = whole_number(text)
    assert number is None or 0 <= number < 10**19


@fuzzed
@given(damaged(elf_bytes()))
def test_elf_files(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert all(isinstance(name, str) for name in elf.needed(content))
        assert isinstance(elf.soname(content), str)


WORDS = ["$a", "${b}", "a=", "for a in ", "; do", "\n", "done", "'", '"', "\\", "`", " ", "x", "1"]
WORDS += ["update-alternatives ", "--install ", "/usr/bin/x ", "--slave ", "9" * 30]


@fuzzed
@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
def test_scripts_of_packages(script: str) -> None:
    for found in alternatives_of(script):
        assert found.link.startswith("/")
        assert "/" not in found.name


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in {"p/x": b"x", "p/" + "y" * 120: b"y", "p/.wh.z": b""}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("p/link")
        link.type, link.linkname = tarfile.SYMTYPE, "x"
        archive.addfile(link)
    return out.getvalue()


@fuzzed
@given(damaged(tar()))
def test_archives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    out = tmp_path / os.urandom(8).hex()
    with contextlib.suppress(Failure):
        unpack(path, out, Bounds(1 << 20, 100))
    with contextlib.suppress(Failure):
        read_entries([path], lambda _: 1000)
    with contextlib.suppress(Failure):
        read_archive(path, "0" * 64, "amd64", None)


@fuzzed
@given(st.data())
def test_what_wheels_require(tmp_path: Path, data: st.DataObject) -> None:
    path = build_wheel(tmp_path / "made")
    content = path.read_bytes()
    path.write_bytes(data.draw(damaged(content)))
    with contextlib.suppress(Failure):
        assert all(isinstance(one, str) for one in requires(path))
