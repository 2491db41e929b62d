from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from inseam.formats.debian.deb_testing import elf_bytes
from inseam.formats.elf import machine, needed


def head(number: int, *, big_endian: bool = False) -> bytes:
    ident = b"\x7fELF\x02" + (b"\x02" if big_endian else b"\x01") + bytes(10)
    return ident + struct.pack(">HH" if big_endian else "<HH", 3, number)


@pytest.mark.parametrize(
    "data, expected",
    [
        (head(62), "x86_64"),
        (head(183), "aarch64"),
        (head(3), "i686"),
        (head(22, big_endian=True), "s390x"),
        (head(247), "elf-247"),
        (head(62)[:19], None),
        (b"", None),
        (b"#!/usr/bin/python3 and so on", None),
        (b"\x7fELG" + head(62)[4:], None),
        (b"MZ" + bytes(60), None),
    ],
)
def test_the_machine_of_a_file_by_its_first_bytes(data: bytes, expected: str | None) -> None:
    assert machine(data) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="needs ELF files")
def test_an_interpreter_is_for_the_machine_that_runs_it() -> None:
    import platform

    with open(Path(sys.executable).resolve(), "rb") as file:
        assert machine(file.read(20)) == platform.machine()


def test_a_library_needs_libraries() -> None:
    assert needed(elf_bytes(needed=["libc.so.6", "libm.so.6"])) == ("libc.so.6", "libm.so.6")


def test_a_program_needs_its_loader_too() -> None:
    assert needed(elf_bytes(needed=["libc.so.6"], interpreter="/lib/ld.so")) == (
        "/lib/ld.so",
        "libc.so.6",
    )


@pytest.mark.parametrize("data", [b"", b"text", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(100)])
def test_other_files_need_nothing(data: bytes) -> None:
    assert needed(data) == ()


def test_a_file_cut_short_is_refused() -> None:
    data = elf_bytes(needed=["libc.so.6"], interpreter="/lib/ld.so")
    for end in range(64, len(data)):
        with pytest.raises(ValueError):
            needed(data[:end])
