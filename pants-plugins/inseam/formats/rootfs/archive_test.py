from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from inseam.formats.debian.deb_testing import elf_bytes
from inseam.formats.failure import Failure
from inseam.formats.glibc import GlibcVersion
from inseam.formats.python.archive import parse_location
from inseam.formats.rootfs.archive import PythonArchive, read_archive
from inseam.formats.rootfs.links import by_path
from inseam.formats.rootfs.rootfs_testing import LOADER, MINOR, archive_bytes, archive_files


def write(folder: Path, files: Mapping[str, object], top: str = "python/") -> tuple[Path, str]:
    data = archive_bytes(files, top)
    path = folder / "cpython.tar.gz"
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


GLIBC = GlibcVersion(2, 36)


def read(folder: Path, files: Mapping[str, object], top: str = "python/") -> PythonArchive:
    return read_archive(*write(folder, files, top), "amd64", GLIBC)


def why(folder: Path, files: Mapping[str, object]) -> str:
    with pytest.raises(Failure) as error:
        read(folder, files)
    return str(error.value)


@pytest.mark.parametrize("top", ["python/", "", "./python/install/"])
def test_the_interpreter_its_libraries_and_its_library_are_below_usr_local(
    tmp_path: Path, top: str
) -> None:
    found = read(tmp_path, archive_files(), top)
    assert (found.interpreter, found.version) == (f"/usr/local/bin/python{MINOR}", f"{MINOR}.5")
    members = by_path(found.members)
    assert sorted(members) == sorted(
        f"usr/local/{path}"
        for path in (
            f"bin/python{MINOR}",
            "bin/python3",
            f"lib/libpython{MINOR}.so.1.0",
            f"lib/python{MINOR}/os.py",
            f"lib/python{MINOR}/json/__init__.py",
            f"lib/python{MINOR}/lib-dynload/_x.cpython-x86_64-linux-gnu.so",
        )
    )
    assert members["usr/local/bin/python3"].link == f"python{MINOR}"
    assert members[found.interpreter[1:]].mode == 0o755
    assert members[f"usr/local/lib/python{MINOR}/os.py"].mode == 0o644


def test_a_free_threaded_build_has_its_letter(tmp_path: Path) -> None:
    files = {
        path.replace(f"python{MINOR}", f"python{MINOR}t"): content
        for path, content in archive_files().items()
    }
    # Its own links lead to the interpreter.
    found = read(tmp_path, {**files, f"bin/python{MINOR}": f"python{MINOR}t"})
    assert found.interpreter == f"/usr/local/bin/python{MINOR}t"
    links = {member.path: member.link for member in found.members if member.link}
    assert links == {
        "usr/local/bin/python3": f"python{MINOR}t",
        f"usr/local/bin/python{MINOR}": f"python{MINOR}t",
    }


@pytest.mark.parametrize(
    "changed, error",
    [
        ({f"bin/python{MINOR}": None}, "must have one `bin/python3.N`"),
        ({"bin/python3.1": b""}, "must have one `bin/python3.N`"),
        ({f"bin/python{MINOR}": "elsewhere"}, "a link that leads nowhere"),
        ({f"lib/python{MINOR}/os.py": None}, f"but no lib/python{MINOR}/os.py"),
        ({f"bin/python{MINOR}": b"#!/bin/sh\n"}, "not a program of Linux, but the image is for"),
        (
            {f"bin/python{MINOR}": elf_bytes(183, interpreter=LOADER)},
            "built for aarch64, but the image is for x86_64",
        ),
        (
            {f"bin/python{MINOR}": elf_bytes() + b"\0GLIBC_2.17\0GLIBC_2.38\0"},
            "needs glibc 2.38 or newer, but the base has 2.36: take the Debian packages of a newer",
        ),
        ({"../../outside": b""}, "which leads out of it"),
        (
            {f"bin/python{MINOR}": elf_bytes() + b"\0GLIBC_2." + b"9" * 5000 + b"\0"},
            "or newer, but the base has 2.36",
        ),
    ],
)
def test_an_archive_that_is_no_python_of_the_image_is_refused(
    tmp_path: Path, changed: dict[str, object], error: str
) -> None:
    files = {**archive_files(), **changed}
    text = why(tmp_path, {path: content for path, content in files.items() if content is not None})
    assert "cpython.tar.gz" in text
    assert error in text


def test_a_glibc_as_old_as_the_base_is_enough(tmp_path: Path) -> None:
    program = elf_bytes() + b"\0GLIBC_2.36\0"
    read(tmp_path, {**archive_files(), f"bin/python{MINOR}": program})


def test_another_file_than_the_named_one_is_refused(tmp_path: Path) -> None:
    path, sha256 = write(tmp_path, archive_files())
    with pytest.raises(Failure, match=f"has the sha256 {sha256}, but the base names {'0' * 64}"):
        read_archive(path, "0" * 64, "amd64", GLIBC)


@pytest.mark.parametrize("data", [b"", b"no tar", b"\x1f\x8b damaged"])
def test_what_is_not_an_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "cpython.tar.gz"
    path.write_bytes(data)
    with pytest.raises(Failure, match="is not an archive that can be read"):
        read_archive(path, hashlib.sha256(data).hexdigest(), "amd64", GLIBC)


def test_a_hard_link_is_a_link_to_the_file_that_it_names(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, content in archive_files().items():
            assert isinstance(content, bytes)
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
        info = tarfile.TarInfo(f"lib/python{MINOR}/json/same.py")
        info.type, info.linkname = tarfile.LNKTYPE, f"lib/python{MINOR}/os.py"
        archive.addfile(info)
    file = tmp_path / "cpython.tar"
    file.write_bytes(stream.getvalue())
    found = read_archive(file, hashlib.sha256(stream.getvalue()).hexdigest(), "amd64", GLIBC)
    members = by_path(found.members)
    assert members[f"usr/local/lib/python{MINOR}/json/same.py"].link == "../os.py"


def test_a_location_is_a_url_or_a_path_with_a_hash() -> None:
    sha256 = "0123456789abcdef" * 4
    url = parse_location(f"https://host.example/a/cpython-3.12.8%2B1.tar.gz#sha256={sha256}")
    assert (url.is_url, url.file_name, url.sha256) == (True, "cpython-3.12.8%2B1.tar.gz", sha256)
    path = parse_location(f"vendor/cpython.tar.gz#sha256={sha256}")
    assert (path.is_url, path.location, path.file_name) == (
        False,
        "vendor/cpython.tar.gz",
        "cpython.tar.gz",
    )


@pytest.mark.parametrize(
    "text",
    [
        "vendor/cpython.tar.gz",
        "vendor/cpython.tar.gz#sha256=0",
        f"../cpython.tar.gz#sha256={'0' * 64}",
        f"/cpython.tar.gz#sha256={'0' * 64}",
        f"ftp://host.example/cpython.tar.gz#sha256={'0' * 64}",
        f"https://host.example/#sha256={'0' * 64}",
        f"https://host.example/a b.tar.gz#sha256={'0' * 64}",
        f"https://[host/a.tar.gz#sha256={'0' * 64}",
    ],
)
def test_other_locations_are_refused(text: str) -> None:
    with pytest.raises(Failure):
        parse_location(text)
