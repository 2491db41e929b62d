"""Whatever foreign bytes repeat, their readers take time in proportion to it."""

from __future__ import annotations

import contextlib
import json
import struct
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Callable

import pytest

from inseam.formats import elf
from inseam.formats.debian.alternatives import alternatives_of
from inseam.formats.debian.control import paragraphs
from inseam.formats.debian.deb import read_deb
from inseam.formats.debian.deb_testing import Entry, ar_bytes, deb_bytes, verify_nothing
from inseam.formats.debian.index import parse_packages
from inseam.formats.debian.lock import parse_lock
from inseam.formats.debian.relations import parse_relations
from inseam.formats.debian.release import Trust, Unusable, read_inrelease
from inseam.formats.debian.request import parse_request
from inseam.formats.debian.suite import WantedSuite
from inseam.formats.debian.version import sort_key
from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_text, foreign_word
from inseam.formats.growth_testing import check_growth, check_memory
from inseam.formats.names import relative_path
from inseam.formats.oci.foreign import read_configuration, read_index, read_manifest
from inseam.formats.oci.metadata import load_metadata
from inseam.formats.oci.reference import parse_reference
from inseam.formats.python.index_page import read_page
from inseam.formats.python.requires import requirements_in, requires
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_testing import build_wheel

Read = Callable[[str], Any]
DIGEST = "sha256:" + "a" * 64
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": DIGEST, "size": 1}
CONFIG = {**LAYER, "mediaType": "application/vnd.oci.image.config.v1+json"}


def quietly(read: Callable[[Any], Any]) -> Callable[[Any], None]:
    def reads(value: Any) -> None:
        with contextlib.suppress(Failure, Unusable):
            read(value)

    return reads


def packages(text: str) -> None:
    parse_packages(text, "debian")


def fields(text: str) -> None:
    list(paragraphs(text))


def release(text: str) -> None:
    trust = Trust(verify_nothing, now=0)
    read_inrelease(text.encode(), "http://m.invalid", WantedSuite("bookworm", "debian"), trust)


def version(text: str) -> None:
    sort_key.cache_clear()
    sort_key(text)


def page(text: str) -> None:
    read_page(text.encode(), "https://h.invalid/simple/x/")


def word(text: str) -> None:
    foreign_word(text)
    foreign_text(text)


def path(text: str) -> None:
    relative_path(text, "x")


TEXTS: tuple[tuple[Read, tuple[str, ...]], ...] = (
    (fields, ("a: b\n", "a: b\n c\n", " c\n", "\n", "a: b\n\n", "#\n", ":", " ")),
    (packages, ("Package: a\n", "Package: a\nDepends: a, b\n\n", "a: b\n")),
    (release, ("Codename: bookworm\n", "SHA256:\n a 1 b\n", " a 1 b\n", "Date: x\n")),
    (parse_relations, ("a, ", "a | ", "a (", " ", "a (>= 1), ", "a" * 10, ":")),
    (version, ("1", "1.", "a", "-", "1:", "~", "-a")),
    (parse_request, ("a\n", "[a]\n", "a = b\n", "  b\n", "=", "\n", "[")),
    (parse_lock, ("[", '{"a":', "1", " ", '"')),
    (page, ("<", "<a ", "<a href=", "<!--", "&#", "<a href='x'>", "<base href=x>", '"', "<a x")),
    (word, ("a", "\n", "\x1b", "//", "https://a:", "a:b@", "\ud800")),
    (path, ("a/", "/", "..", "a")),
    (parse_reference, ("a", "a/", "a.", "-", "a:", "@", "_", "A", "[")),
    (alternatives_of, ("a=$a\n", "for a in b; do\n", "done\n", "update-alternatives ", "$a", "'")),
)


@pytest.mark.parametrize(
    "read, piece", [(read, piece) for read, pieces in TEXTS for piece in pieces]
)
def test_texts(read: Read, piece: str) -> None:
    check_growth(quietly(read), lambda n: piece * n)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "read, shape",
    [
        (read_index, lambda n: as_json({"manifests": [LAYER] * n})),
        (read_manifest, lambda n: as_json({"config": CONFIG, "layers": [LAYER] * n})),
        (
            read_manifest,
            lambda n: as_json({"config": CONFIG, "layers": [], "annotations": {"a" * n: "b"}}),
        ),
        (
            read_configuration,
            lambda n: as_json(
                {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [DIGEST] * n}}
            ),
        ),
        (read_configuration, lambda n: b"[" * n),
        (read_index, lambda n: b'{"a":' * n),
    ],
)
def test_documents_of_images(
    read: Callable[[bytes, str], Any], shape: Callable[[int], bytes]
) -> None:
    check_growth(quietly(lambda content: read(content, "x")), shape)


def test_descriptions_of_images() -> None:
    def nested(n: int) -> bytes:
        return b'{"images": [' * n + b"]}" * n

    check_growth(quietly(load_metadata), nested)
    check_growth(quietly(load_metadata), lambda n: as_json({"references": ["a"] * n}))


def shared_object(segments: int, names: int) -> bytes:
    """An ELF file with so many segments that hold its texts, and names of libraries."""
    start = 64 + 56 * (segments + 1)
    dynamic = b"".join(struct.pack("<qQ", 1, 0) for _ in range(names)) + struct.pack("<qQ", 5, 0)
    dynamic += struct.pack("<qQ", 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, start, 0, 0, 4096, 4096, 1)
    table = struct.pack("<IIQQQQQQ", 2, 6, start + 4096, 0, 0, len(dynamic), 0, 1)
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HHI", 3, 62, 1)
    head += struct.pack("<QQQIHHHHHH", 0, 64, 0, 0, 64, 56, segments + 1, 0, 0, 0)
    return head + load * segments + table + b"lib.so\0".ljust(4096, b"x") + dynamic


def test_names_of_libraries() -> None:
    assert elf.needed(shared_object(2, 3)) == ("lib.so",) * 3

    def names(content: bytes) -> None:
        with contextlib.suppress(ValueError):
            elf.needed(content)

    check_growth(names, lambda n: shared_object(n // 4, n // 4))
    check_memory(names, shared_object(1000, 100_000), 20_000_000)


def test_packages_of_debian(tmp_path: Path) -> None:
    def read(content: bytes) -> None:
        (tmp_path / "a.deb").write_bytes(content)
        with contextlib.suppress(Failure):
            read_deb(str(tmp_path / "a.deb"))

    shapes: tuple[Callable[[int], bytes], ...] = (
        lambda n: deb_bytes("a", [Entry(f"./{i}", b"x") for i in range(n)], compression=".gz"),
        lambda n: deb_bytes("a", [Entry("./" + "a/" * n, b"x")], compression=".gz"),
        lambda n: deb_bytes("a", [Entry("./a", b"\0" * 100 * n)], compression=".gz"),
        lambda n: ar_bytes([(f"m{i}", b"") for i in range(n)]),
        lambda n: deb_bytes("a", fields="X: y\n z\n" * n, compression=".gz"),
    )
    for shape in shapes:
        check_growth(read, shape, least=10)


def test_wheels(tmp_path: Path) -> None:
    def install(content: bytes) -> None:
        wheel = tmp_path / "demo-1.0-py3-none-any.whl"
        wheel.write_bytes(content)
        with contextlib.suppress(Failure):
            requires(wheel)
        with contextlib.suppress(Failure):
            install_wheel(wheel, tmp_path / "out")

    def wheel(files: dict[str, bytes]) -> bytes:
        return build_wheel(tmp_path / "made", files=files).read_bytes()

    info = "demo-1.0.dist-info"
    shapes: tuple[Callable[[int], bytes], ...] = (
        lambda n: wheel({f"demo/x{i}.py": b"" for i in range(n)}),
        lambda n: wheel({"demo/x.py": b"x = 1\n" * n}),
        lambda n: wheel({"demo/x.py": b"x = " + b"-" * n + b"1\n"}),
        lambda n: wheel({f"{info}/entry_points.txt": b"[console_scripts]\n" + b"a = b:c\n" * n}),
        lambda n: wheel({f"{info}/entry_points.txt": b"[" * n}),
        lambda n: wheel({f"{info}/METADATA": b"Name: demo\nVersion: 1.0\n" + b"A: b\n c\n" * n}),
    )
    for shape in shapes:
        check_growth(install, shape, least=5)


@pytest.mark.parametrize("piece", ["Requires-Dist: a\n", " a\n", "a:", ":\n"])
def test_requirements_of_a_wheel(piece: str) -> None:
    def read(text: str) -> None:
        requirements_in(HeaderParser().parsestr(text))

    check_growth(read, lambda n: "Requires-Dist: a\n" + piece * n)
