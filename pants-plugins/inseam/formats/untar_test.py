from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import time
import tracemalloc
from pathlib import Path
from typing import Callable

import pytest

from inseam.formats.untar import UNREADABLE, members, opened_tar


def tar_of(*infos: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    return out.getvalue()


def info(name: str, size: int = 0) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size = size
    return found


def read(path: Path, size: int = 1 << 30) -> dict[str, bytes]:
    with opened_tar(path, size) as tar:
        found = {}
        for member in members(tar):
            file = tar.extractfile(member)
            assert file is not None
            found[member.name] = file.read(1 << 20)
        return found


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_members_are_read_whatever_the_compression(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    data = tar_of(info("a", 700), info("n" * 300, 512), info("empty"))
    (tmp_path / "x.tar").write_bytes(pack(data))
    assert {name: len(data) for name, data in read(tmp_path / "x.tar").items()} == {
        "a": 700,
        "n" * 300: 512,
        "empty": 0,
    }


def test_a_long_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A gigabyte of zeros as the name of a member has a megabyte in a tar.gz."""
    name = info("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    with gzip.open(tmp_path / "x.tar.gz", "wb", compresslevel=1) as out:
        out.write(name.tobuf(tarfile.GNU_FORMAT))
        for _ in range(20):
            out.write(b"\0" * (1 << 20))
    tracemalloc.start()
    with pytest.raises(UNREADABLE, match="a member of it has headers of"):
        read(tmp_path / "x.tar.gz")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_what_unpacks_to_more_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tar_of(info("a", 3_000_000), info("b"))))
    with pytest.raises(UNREADABLE, match="unpacks to more than 2000000 bytes"):
        read(tmp_path / "x.tar.gz", 2_000_000)


def test_a_negative_size_ends(tmp_path: Path) -> None:
    first = info("a").tobuf(tarfile.GNU_FORMAT)
    bad = bytearray(info("b").tobuf(tarfile.GNU_FORMAT))
    bad[124:136] = b"\xff" * 4 + struct.pack(">q", -1536)
    bad[148:156] = b" " * 8
    bad[148:156] = b"%06o\0 " % sum(bad)
    (tmp_path / "x.tar").write_bytes(first + bytes(bad) + b"\0" * 10240)
    start = time.monotonic()
    with pytest.raises(UNREADABLE):
        read(tmp_path / "x.tar")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("data", [b"", b"no tar", b"\x1f\x8bgarbage", b"BZhx", b"\xfd7zXZ\0x"])
def test_what_is_not_a_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(UNREADABLE):
        read(tmp_path / "x.tar")
