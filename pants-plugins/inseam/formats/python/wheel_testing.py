"""Builds small wheels for tests, good ones and bad ones."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Container, Dict, Mapping, Union

Record = Dict[str, str]

ELF_MACHINES = {"x86_64": 62, "aarch64": 183, "i686": 3}


@dataclass(frozen=True)
class File:
    """A file in a wheel; mode: as in `stat`, including the type bits."""

    content: bytes = b""
    mode: int = 0o100644


def executable(content: bytes) -> File:
    """A file that everyone may execute."""
    return File(content, 0o100755)


def elf(machine: str, rest: bytes = b"") -> bytes:
    """The start of an ELF file for a 64-bit little-endian machine."""
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    return ident + struct.pack("<HHI", 3, ELF_MACHINES[machine], 1) + rest


def record_hash(content: bytes, algorithm: str = "sha256") -> str:
    """A hash in the form of RECORD (PEP 376)."""
    digest = hashlib.new(algorithm, content).digest()
    return f"{algorithm}={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def record_row(path: str, content: bytes) -> str:
    """A file's line in RECORD."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow((path, record_hash(content), len(content)))
    return line.getvalue().rstrip("\n")


def build_wheel(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    files: Mapping[str, Union[bytes, File]] = {},
    *,
    tag: str = "py3-none-any",
    entry_points: str = "",
    pure: bool = True,
    omit: Container[str] = (),
    more: tuple[tuple[str, bytes], ...] = (),
    edit_record: Callable[[Record], None] = lambda _: None,
    compression: int = zipfile.ZIP_DEFLATED,
    file_name: str = "",
) -> Path:
    """Writes the wheel of a distribution to `folder`, and returns its path.

    files: its content, besides its .dist-info. omit: files to leave out of the .dist-info. more:
    files at the end that RECORD does not list. edit_record: may change the lines of RECORD, by
    path, before they are written.
    """
    info = f"{name}-{version}.dist-info"
    members: dict[str, File] = {
        path: file if isinstance(file, File) else File(file) for path, file in files.items()
    }
    metadata = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(pure).lower()}\nTag: {tag}\n",
        "entry_points.txt": entry_points,
    }
    for base, text in metadata.items():
        if text and base not in omit:
            members.setdefault(f"{info}/{base}", File(text.encode()))
    if "RECORD" not in omit:
        record = {path: record_row(path, file.content) for path, file in members.items()}
        record[f"{info}/RECORD"] = f"{info}/RECORD,,"
        edit_record(record)
        members[f"{info}/RECORD"] = File("".join(f"{row}\n" for row in record.values()).encode())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (file_name or f"{name}-{version}-{tag}.whl")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, file in [*members.items(), *((name, File(data)) for name, data in more)]:
            entry = zipfile.ZipInfo(member, (2024, 5, 6, 7, 8, 10))
            entry.external_attr = file.mode << 16
            entry.compress_type = compression
            archive.writestr(entry, file.content)
    return path
