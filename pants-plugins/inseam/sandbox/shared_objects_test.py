from __future__ import annotations

import pytest

from inseam.sandbox.deb_testing import elf_bytes
from inseam.sandbox.shared_objects import needed


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
