"""Whatever foreign bytes claim to hold, or hold once they are unpacked, their readers need little
memory: each one reads such an input in a separate process, whose peak is measured."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import resource
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import IO, Callable, Mapping, cast

import pytest

from inseam.formats.debian import deb as debian_package
from inseam.formats.debian import index
from inseam.formats.debian.deb_testing import ar_bytes
from inseam.formats.files import read_json
from inseam.formats.oci import flatten
from inseam.formats.python.base_bytecode import write_bytecode
from inseam.formats.python.build_environment import make_environment
from inseam.formats.python.repack import repack
from inseam.formats.python.requires import requires
from inseam.formats.python.source import unpack
from inseam.formats.python.wheel import install_wheel
from inseam.formats.rootfs import archive
from inseam.formats.rootfs.tree import write_tree
from inseam.programs import unpack as unpack_program

MIB = 1 << 20
MOST = 150 * MIB
"""What a reader may need."""
HUGE = 300 * MIB
"""What each input unpacks to, at least."""
INFO = "demo-1.0.dist-info"
WHEEL = {
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/RECORD": b"",
}

Make = Callable[[Path], object]
Read = Callable[[Path, Path], object]
"""Reads a file, and may write to a path."""


class Zeros(io.RawIOBase):
    """Reads as zeros."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        return bytes(size)


def wheel(large: str, compression: int = zipfile.ZIP_DEFLATED, size: int = HUGE) -> Make:
    """A wheel with one file that is large once it is unpacked."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", compression, compresslevel=1) as made:
            for name, content in WHEEL.items():
                if name != large:
                    made.writestr(name, content)
            with made.open(large, "w", force_zip64=True) as file:
                for _ in range(size // MIB):
                    file.write(bytes(MIB))

    return make


def lying_wheel(large: str) -> Make:
    """One whose large file is a small one by the directory of the archive."""

    def make(path: Path) -> None:
        wheel(large)(path)
        data = bytearray(path.read_bytes())
        at = data.rindex(large.encode()) - 46
        assert data[at : at + 4] == b"PK\1\2"
        struct.pack_into("<I", data, at + 24, 100)
        path.write_bytes(data)

    return make


def tar(name: str, size: int = HUGE) -> Callable[[IO[bytes]], None]:
    def write(out: IO[bytes]) -> None:
        with tarfile.open(fileobj=out, mode="w|") as made:
            info = tarfile.TarInfo(name)
            info.size = size
            made.addfile(info, cast("IO[bytes]", Zeros(size)))

    return write


def long_name(out: IO[bytes]) -> None:
    """A member whose name is said to have 1 GB (pax, GNU)."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, HUGE
    out.write(info.tobuf(tarfile.GNU_FORMAT))
    for _ in range(HUGE // MIB):
        out.write(bytes(MIB))


def global_headers(out: IO[bytes]) -> None:
    """Headers of 1 MB, each in front of the next (pax)."""
    for number in range(HUGE // MIB):
        value = b"1000000 x%d=" % number
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = tarfile.XGLTYPE, 1_000_000
        out.write(info.tobuf(tarfile.USTAR_FORMAT))
        out.write(value.ljust(999_999, b"x") + b"\n" + bytes(-1_000_000 % 512))


def many(name: str) -> Callable[[IO[bytes]], None]:
    """Files of 4 MB."""

    def write(out: IO[bytes]) -> None:
        with tarfile.open(fileobj=out, mode="w|") as made:
            for number in range(HUGE // (4 * MIB)):
                info = tarfile.TarInfo(f"{name}{number}.py")
                info.size = 4 * MIB
                made.addfile(info, cast("IO[bytes]", Zeros(info.size)))

    return write


def sparse(out: IO[bytes]) -> None:
    """A file with holes of 1 GB (the format of GNU tar before pax)."""
    info = tarfile.TarInfo("lib/python3.11/os.py")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (HUGE, 0)
    header[483:495] = b"%011o\0" % HUGE
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    out.write(bytes(header) + bytes(10240))


def packed(write: Callable[[IO[bytes]], None], opener: str = "gzip") -> Make:
    def make(path: Path) -> None:
        if opener == "gzip":
            with gzip.open(path, "wb", compresslevel=1) as out:
                write(out)  # type: ignore[arg-type]
        elif opener == "bzip2":
            with bz2.open(path, "wb") as out:
                write(out)  # type: ignore[arg-type]
        else:
            # A dictionary of 500 MB, which fills as it is read.
            filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
            with lzma.open(path, "wb", filters=filters) as out:
                write(out)  # type: ignore[arg-type]

    return make


def deb(data: Make) -> Make:
    def make(path: Path) -> None:
        data(path)
        control = io.BytesIO()
        with tarfile.open(fileobj=control, mode="w:gz") as made:
            text = b"Package: a\nVersion: 1\nArchitecture: all\n"
            info = tarfile.TarInfo("./control")
            info.size = len(text)
            made.addfile(info, io.BytesIO(text))
        parts = [("debian-binary", b"2.0\n"), ("control.tar.gz", control.getvalue())]
        path.write_bytes(ar_bytes([*parts, ("data.tar.gz", path.read_bytes())]))

    return make


def text(piece: bytes, times: int) -> Make:
    return lambda path: path.write_bytes(piece * times)


def read_requires(path: Path, out: Path) -> None:
    requires(path)


def environment(path: Path, out: Path) -> None:
    make_environment(out, sys.executable, [path], place="/x")


def unpack_wheel(path: Path, out: Path) -> None:
    unpack_program.main([str(out), str(path)])


# The bounds of the following are lowered: real files need more than a test may take.
BOUND = 50 * MIB
MINOR = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def read_base(path: Path, out: Path) -> None:
    flatten._MOST_READ = BOUND
    write_tree([path], "/usr/bin/python3.11", out)


def read_library(path: Path, out: Path) -> None:
    flatten._MOST_READ = BOUND
    write_bytecode([path], f"lib/{MINOR}", out)


def read_cpython(path: Path, out: Path) -> None:
    archive._LARGEST = BOUND
    archive.read_archive(path, hashlib.sha256(path.read_bytes()).hexdigest(), "amd64", None)


def read_package(path: Path, out: Path) -> None:
    debian_package.LARGEST_UNPACKED = BOUND
    debian_package.read_deb(str(path))


def read_index(path: Path, out: Path) -> None:
    index.LARGEST_PACKAGES = BOUND
    index._unpacked(path.read_bytes())


def json_file(path: Path, out: Path) -> None:
    read_json(path)


READERS: Mapping[str, tuple[Read, tuple[Make, ...]]] = {
    "install_wheel": (
        install_wheel,
        (
            wheel("demo/data"),
            wheel("demo/data", zipfile.ZIP_BZIP2),
            wheel("demo/__init__.py"),
            wheel("demo/__init__.py", size=30 * MIB),
            wheel("demo-1.0.data/scripts/x"),
            lying_wheel("demo/data"),
            lying_wheel("demo/__init__.py"),
            *(wheel(f"{INFO}/{name}") for name in ("METADATA", "RECORD", "WHEEL")),
            wheel(f"{INFO}/entry_points.txt"),
            wheel("demo/__pycache__/x.pyc"),
        ),
    ),
    "repack": (
        repack,
        (wheel("demo/data"), wheel(f"{INFO}/METADATA")),
    ),
    "requires": (
        read_requires,
        (wheel(f"{INFO}/METADATA"), lying_wheel(f"{INFO}/METADATA")),
    ),
    "make_environment": (
        environment,
        (
            wheel("demo/data"),
            wheel("demo/__init__.py"),
            wheel("demo-1.0.data/scripts/x"),
            wheel(f"{INFO}/entry_points.txt"),
        ),
    ),
    "unpack": (
        unpack_wheel,
        (wheel("demo/data"), lying_wheel("demo/data")),
    ),
    "sources": (
        unpack,
        (
            packed(tar("demo/data")),
            packed(tar("demo/data"), "bzip2"),
            packed(tar("demo/data"), "xz"),
            packed(long_name),
            packed(global_headers),
            packed(sparse),
            wheel("demo/data", zipfile.ZIP_LZMA),
        ),
    ),
    "layers of bases": (
        read_base,
        (
            packed(tar("usr/lib/libx.so")),
            packed(tar("usr/lib/python3.11/os.py")),
            packed(many("usr/lib/python3.11/x")),
            packed(global_headers),
            packed(long_name),
            packed(sparse),
        ),
    ),
    "bytecode of bases": (
        read_library,
        (packed(tar(f"lib/{MINOR}/os.py")), packed(many(f"lib/{MINOR}/x")), packed(long_name)),
    ),
    "archives of CPython": (
        read_cpython,
        (
            packed(tar("python/bin/python3.11")),
            packed(tar("python/bin/python3.11"), "xz"),
            packed(long_name),
            packed(sparse),
        ),
    ),
    "Debian packages": (
        read_package,
        (
            deb(packed(tar("usr/lib/x"))),
            deb(packed(long_name)),
            deb(packed(sparse)),
        ),
    ),
    "indexes of Debian": (
        read_index,
        (lambda path: path.write_bytes(lzma.compress(bytes(HUGE), preset=0)),),
    ),
    "JSON": (
        json_file,
        (text(b"[" * 10, MIB), text(b'{"a":', MIB), lambda path: os.truncate(path, HUGE)),
    ),
}
CASES = [(name, number) for name, (_, made) in READERS.items() for number in range(len(made))]


def peak(reader: str, path: Path, out: Path) -> int:
    """Bytes that a process needs for reading a file, besides those for what it imports."""
    program = """
import resource, sys
from pathlib import Path
from inseam.formats import memory_test
from inseam.formats.failure import Failure
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    memory_test.READERS[sys.argv[1]][0](*map(Path, sys.argv[2:]))
except (Failure, ValueError):
    pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, reader, str(path), str(out)],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    return int(ran.stdout)


@pytest.mark.parametrize("reader, number", CASES)
def test_readers_need_little_memory(tmp_path: Path, reader: str, number: int) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.touch()
    READERS[reader][1][number](path)
    assert peak(reader, path, tmp_path / "out") < MOST
