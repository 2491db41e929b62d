"""Makes Debian packages with a C library and a Python, and root filesystems, for tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Mapping, Sequence

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes, write_debs
from inseam.formats.python.bytecode import minor_version
from inseam.formats.rootfs.build import LockedPython, build
from inseam.formats.rootfs.bytecode import add_bytecode
from inseam.formats.rootfs.metadata import Rootfs

MINOR = ".".join(map(str, minor_version()))
INTERPRETER = f"/usr/bin/python{MINOR}"
STDLIB = f"./usr/lib/python{MINOR}"
LOADER = "/lib64/ld-linux-x86-64.so.2"

# From 3.11 on, the order of sets in CPython's bytecode does not depend on the hash seed.
SOURCE = b"def loads(x):\n    return x in {'a', 'b', 'c'}\n"
if minor_version() < (3, 11):
    SOURCE = SOURCE.replace(b"{'a', 'b', 'c'}", b"('a', 'b', 'c')")

LIBC = [
    Entry("./lib/", kind=tarfile.DIRTYPE, mode=0o755),
    Entry("./lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", elf_bytes(), mode=0o755),
    Entry("./lib/x86_64-linux-gnu/libc.so.6", elf_bytes(), mode=0o755),
    Entry(
        "./lib64/ld-linux-x86-64.so.2",
        kind=tarfile.SYMTYPE,
        link="/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
    ),
    Entry("./usr/share/doc/libc6/copyright", b"GPL " * 200),
    Entry("./usr/share/doc/libc6/changelog.gz", b"much"),
]
PYTHON = [
    Entry(f".{INTERPRETER}", elf_bytes(needed=["libc.so.6"], interpreter=LOADER), mode=0o755),
    Entry(f"{STDLIB}/os.py", b"name = 'posix'\n", mode=0o664),
    Entry(f"{STDLIB}/json/__init__.py", SOURCE),
    Entry(f"{STDLIB}/bad.py", b"def (\n"),
    Entry(f"{STDLIB}/test/test_os.py", b"import os\n"),
    Entry("./usr/share/doc/python/copyright", b"GPL " * 200),
]
HELLO = [
    Entry("./usr/bin/hello", b"\x01hello", mode=0o4755),
    Entry("./usr/bin/again", kind=tarfile.LNKTYPE, link="./usr/bin/hello"),
    Entry("./usr/share/man/man1/hello.1", b"page"),
    Entry("./usr/share/hello/page", kind=tarfile.LNKTYPE, link="./usr/share/man/man1/hello.1"),
    Entry("./usr/share/hello/manual", kind=tarfile.SYMTYPE, link="../man/man1/hello.1"),
    Entry("./etc/mtab", kind=tarfile.SYMTYPE, link="/proc/mounts"),
    Entry("./var/empty/", kind=tarfile.DIRTYPE, mode=0o777),
    Entry(f"./usr/share/{'long/' * 30}file", b"deep"),
]


def debs(folder: Path, **more: bytes) -> list[str]:
    """A C library, a Python and a package with everything else, as files."""
    data = {
        "libc6": deb_bytes("libc6", LIBC, version="2.36-9+deb12u14"),
        "python": deb_bytes(f"python{MINOR}-minimal", PYTHON, version=f"{MINOR}.2-6+deb12u9"),
        "hello": deb_bytes("hello", HELLO, architecture="all"),
    }
    data.update(more)
    return write_debs(folder, {f"{name}.deb": content for name, content in data.items()})


def built(
    folder: Path,
    paths: Sequence[str],
    interpreter: str = INTERPRETER,
    python: LockedPython | None = None,
) -> Rootfs:
    """Builds the root filesystem of the packages, in `folder`/out."""
    return build(paths, "amd64", interpreter, folder / "out", python=python)


def compiled(folder: Path, paths: Sequence[str]) -> Rootfs:
    """The same root filesystem with bytecode."""
    build(paths, "amd64", INTERPRETER, folder / "plain")
    return add_bytecode(folder / "plain", folder / "out")


def infos(folder: Path) -> dict[str, tarfile.TarInfo]:
    """The members of the root filesystem, by path."""
    with tarfile.open(folder / "out" / "rootfs.tar") as archive:
        return {info.name: info for info in archive.getmembers()}


def content(folder: Path, path: str) -> bytes:
    """A file of the root filesystem."""
    with tarfile.open(folder / "out" / "rootfs.tar") as archive:
        file = archive.extractfile(path)
        assert file is not None
        return file.read()


def refused(folder: Path, paths: Sequence[str], interpreter: str = INTERPRETER) -> str:
    """The error of a build, which must not leave any files behind."""
    error = ""
    try:
        built(folder, paths, interpreter)
    except DebianError as caught:
        error = str(caught)
    assert error, "the packages were not refused"
    assert not (folder / "out").exists() or not list((folder / "out").iterdir())
    return error


def archive_files() -> dict[str, bytes]:
    """The files of an unpacked CPython, as in archives, by path; its patch release is 5."""
    return {
        f"bin/python{MINOR}": elf_bytes(
            needed=[f"libpython{MINOR}.so.1.0", "libc.so.6"], interpreter=LOADER
        ),
        "bin/pip3": b"#!/usr/bin/python3",
        f"lib/libpython{MINOR}.so.1.0": elf_bytes(needed=["libc.so.6"]),
        "lib/libpython3.so": elf_bytes(),
        f"lib/python{MINOR}/os.py": b"name = 'posix'\n",
        f"lib/python{MINOR}/json/__init__.py": SOURCE,
        f"lib/python{MINOR}/json/__pycache__/__init__.cpython-1.pyc": b"stale",
        f"lib/python{MINOR}/test/test_os.py": b"import os\n",
        f"lib/python{MINOR}/lib-dynload/_x.cpython-x86_64-linux-gnu.so": elf_bytes(),
        f"lib/python{MINOR}/site-packages/pip/__init__.py": b"",
        f"include/python{MINOR}/patchlevel.h": f'#define PY_VERSION "{MINOR}.5+"\n'.encode(),
        "share/man/man1/python3.1": b"page",
    }


def archive_bytes(files: Mapping[str, object], top: str = "python/") -> bytes:
    """A .tar.gz of files, by path; a string is the target of a link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(top + path)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
                continue
            assert isinstance(content, bytes)
            info.size = len(content)
            info.mode = 0o755 if path.startswith("bin/") else 0o664
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()
