"""Reads which machine an ELF file is for and which libraries it needs (System V gABI)."""

from __future__ import annotations

import struct
from typing import Union

# The bytes of a file, or a view of a file that is mapped into memory.
Data = Union[bytes, memoryview]

_MOST_TEXTS = 4000  # the largest programs need a few hundred libraries
_LONGEST = 4096  # longest string in bytes, including the zero at its end: PATH_MAX

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB, DT_SONAME = 0, 1, 5, 14

# Debian's and OCI's names of architectures, and those of ELF and `uname -m`.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

# e_machine values in the ELF specification, and the names of the machines in `uname -m`.
_NAMES = {
    3: "i686",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}


def machine(head: bytes) -> str | None:
    """The machine of the ELF file that starts with `head` (20 bytes are enough); None if it is not
    an ELF file.
    """
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return None
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    return _NAMES.get(number, f"elf-{number}")


def needed(data: Data) -> tuple[str, ...]:
    """The names in a file's DT_NEEDED entries, preceded by the path of its program interpreter if
    it has one; empty for a file that is not a 64-bit little-endian ELF file or has no dynamic
    section.

    Raises ValueError for a truncated file.
    """
    return _read(data, DT_NEEDED, interpreter=True)


def soname(data: Data) -> str:
    """The name in a shared library's DT_SONAME entry; empty under the same conditions as `needed`.

    Raises ValueError for a truncated file.
    """
    return next(iter(_read(data, DT_SONAME)), "")


def _read(data: Data, wanted: int, interpreter: bool = False) -> tuple[str, ...]:
    if data[:4] != b"\x7fELF" or data[4:6] != b"\x02\x01" or len(data) < 64:
        return ()
    try:
        return _texts(data, wanted, interpreter)
    except (OverflowError, struct.error) as error:
        raise ValueError(f"truncated ELF file: {error}") from None


def _texts(data: Data, wanted: int, interpreter: bool) -> tuple[str, ...]:
    (at,) = struct.unpack_from("<Q", data, 32)
    entry_size, count = struct.unpack_from("<HH", data, 54)
    loads: list[tuple[int, int, int]] = []
    found: list[str] = []
    dynamic = (0, 0)
    for index in range(count):
        kind, _, offset, address, _, size = struct.unpack_from(
            "<IIQQQQ", data, at + index * entry_size
        )
        if kind == PT_LOAD:
            loads.append((address, size, offset))
        elif kind == PT_DYNAMIC:
            dynamic = (offset, size)
        elif kind == PT_INTERP and interpreter:
            found.append(_text(data, offset))
    tags = []
    for place in range(dynamic[0], dynamic[0] + dynamic[1], 16):
        tag, value = struct.unpack_from("<qQ", data, place)
        if tag == DT_NULL:
            break
        tags.append((tag, value))
    strings = [value for tag, value in tags if tag == DT_STRTAB]
    values = [value for tag, value in tags if tag == wanted]
    if len(values) > _MOST_TEXTS:
        raise ValueError(f"an ELF file with more than {_MOST_TEXTS} names")
    for address, size, offset in loads:
        if strings and address <= strings[0] < address + size:
            start = strings[0] - address + offset
            found += [_text(data, start + value) for value in values]
            break
    return tuple(found)


def _text(data: Data, offset: int) -> str:
    text, end, _ = bytes(data[offset : offset + _LONGEST]).partition(b"\0")
    if not end:
        raise ValueError("truncated ELF file: a string has no end")
    return text.decode("utf-8", "surrogateescape")
