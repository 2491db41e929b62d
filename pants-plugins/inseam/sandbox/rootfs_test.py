from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Sequence

import pytest

from inseam.sandbox.bytecode import minor_version
from inseam.sandbox.command import run
from inseam.sandbox.deb import read_deb
from inseam.sandbox.deb_testing import Entry, deb_bytes, elf_bytes, write_debs
from inseam.sandbox.debian_control import DebianError
from inseam.sandbox.rootfs import (
    Rootfs,
    build,
    dump_rootfs,
    parse_rootfs,
    python_version,
    resolve,
    root_members,
)
from inseam.sandbox.tar import Member

MINOR = ".".join(map(str, minor_version()))
INTERPRETER = f"/usr/bin/python{MINOR}"
STDLIB = f"./usr/lib/python{MINOR}"
LOADER = "/lib64/ld-linux-x86-64.so.2"

# From 3.11 on, CPython writes sets to bytecode in an order that no hash seed changes.
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


def built(tmp_path: Path, paths: Sequence[str], interpreter: str = INTERPRETER) -> Rootfs:
    return build(paths, "amd64", interpreter, tmp_path / "out")


def infos(tmp_path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(tmp_path / "out" / "rootfs.tar") as archive:
        return {info.name: info for info in archive.getmembers()}


def content(tmp_path: Path, path: str) -> bytes:
    with tarfile.open(tmp_path / "out" / "rootfs.tar") as archive:
        file = archive.extractfile(path)
        assert file is not None
        return file.read()


def test_packages_become_a_root_filesystem(tmp_path: Path) -> None:
    rootfs = built(tmp_path, debs(tmp_path))
    assert rootfs.python_version == f"{MINOR}.2"
    assert rootfs.glibc_version == "2.36"
    assert rootfs.interpreter == INTERPRETER
    assert [package.name for package in rootfs.packages] == [
        "hello",
        "libc6",
        f"python{MINOR}-minimal",
    ]
    found = infos(tmp_path)
    assert content(tmp_path, "usr/bin/hello") == b"\x01hello"
    assert "usr/lib/x86_64-linux-gnu/libc.so.6" in found
    assert found["usr/bin/python3"].linkname == f"python{MINOR}"
    assert "usr/share/man" not in found
    assert f"usr/lib/python{MINOR}/test" not in found
    assert "var/empty" not in found
    assert (tmp_path / "out" / "rootfs.tar").stat().st_size == rootfs.size
    assert rootfs.content_size == sum(
        len(info.linkname) if info.issym() else info.size for info in found.values()
    )


def test_each_header_keeps_the_rules(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path))
    with tarfile.open(tmp_path / "out" / "rootfs.tar") as archive:
        members = archive.getmembers()
    names = [info.name for info in members]
    assert len(names) == len(set(names))
    assert names == sorted(names, key=lambda name: name.split("/"))
    for info in members:
        assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
        assert info.isreg() or info.isdir() or info.issym()
        if info.isreg():
            assert info.mode in (0o644, 0o755), info.name
        if info.isdir():
            assert info.mode == {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}.get(
                info.name, 0o755
            )
        assert set(info.pax_headers) <= {"path", "linkpath", "size"}
        parent = os.path.dirname(info.name)
        assert not parent or parent in names[: names.index(info.name)]


def test_no_link_leads_nowhere(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path))
    found = infos(tmp_path)
    members = {
        name: Member(name, link=info.linkname if info.issym() else None)
        for name, info in found.items()
    }
    for name, info in found.items():
        if info.issym() and name != "etc/mtab":
            assert resolve(name, members) in found, name


def test_hard_links_become_links_or_the_file_itself(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path))
    found = infos(tmp_path)
    assert found["usr/bin/again"].linkname == "hello"
    assert content(tmp_path, "usr/share/hello/page") == b"page"
    assert "usr/share/hello/manual" not in found


def test_equal_copyrights_are_stored_once(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path))
    assert infos(tmp_path)["usr/share/doc/python/copyright"].linkname == "../libc6/copyright"


def test_nothing_sets_its_user_id(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path))
    assert infos(tmp_path)["usr/bin/hello"].mode == 0o755


def test_bytecode_is_beside_each_source_that_compiles(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path))
    tag = MINOR.replace(".", "")
    pycs = [name for name in infos(tmp_path) if name.endswith(".pyc")]
    assert pycs == [
        f"usr/lib/python{MINOR}/__pycache__/os.cpython-{tag}.pyc",
        f"usr/lib/python{MINOR}/json/__pycache__/__init__.cpython-{tag}.pyc",
    ]
    assert content(tmp_path, pycs[0])[4:8] == b"\x01\0\0\0"  # PEP 552: unchecked hash


def test_bytecode_can_be_left_out(tmp_path: Path) -> None:
    build(debs(tmp_path), "amd64", INTERPRETER, tmp_path / "out", bytecode=False)
    assert not [name for name in infos(tmp_path) if name.endswith(".pyc")]


PROGRAM = "import sys; from inseam.sandbox.command import run; sys.exit(run(sys.argv[1:]))"


def test_the_bytes_depend_on_the_packages_only(tmp_path: Path) -> None:
    results = []
    for index, settings in enumerate(
        [
            {"umask": "0022", "TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"},
            {"umask": "0077", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "123"},
            {"umask": "0000", "TZ": "EST5EDT", "LC_ALL": "de_DE", "PYTHONHASHSEED": "random"},
        ]
    ):
        folder = tmp_path / f"checkout {index}"
        paths = debs(folder / "debs")
        random.Random(index).shuffle(paths)
        mask = int(settings.pop("umask"), 8)
        subprocess.run(
            [
                *(sys.executable, "-sBc", PROGRAM, "rootfs", "--architecture=amd64"),
                *(f"--interpreter={INTERPRETER}", f"--out={folder / 'out'}", *paths),
            ],
            env={"PYTHONPATH": os.pathsep.join(sys.path), **settings},
            cwd=folder,
            check=True,
            preexec_fn=lambda mask=mask: os.umask(mask),  # type: ignore[misc]
        )
        out = folder / "out"
        results.append([(out / name).read_bytes() for name in ("rootfs.tar", "rootfs.json")])
    assert results[0] == results[1] == results[2]


def test_the_description_survives_writing_and_reading(tmp_path: Path) -> None:
    rootfs = built(tmp_path, debs(tmp_path))
    text = (tmp_path / "out" / "rootfs.json").read_text()
    assert parse_rootfs(text) == rootfs
    assert dump_rootfs(parse_rootfs(text)) == text
    assert json.loads(text)["diff_id"].startswith("sha256:")


def refused(tmp_path: Path, paths: Sequence[str], interpreter: str = INTERPRETER) -> str:
    """The error of a build, which must leave nothing behind."""
    with pytest.raises(DebianError) as caught:
        built(tmp_path, paths, interpreter)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    return str(caught.value)


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, debs(tmp_path), "/usr/bin/python2.7")
    assert "/usr/bin/python2.7" in error
    assert f"interpreters that are there: {INTERPRETER}" in error
    assert "python2.7" in refused(tmp_path, debs(tmp_path), "usr/bin/python2.7")


def test_an_interpreter_may_be_a_link(tmp_path: Path) -> None:
    link = Entry("./usr/local/bin/py", kind=tarfile.SYMTYPE, link=f"/bin/python{MINOR}")
    paths = debs(tmp_path, link=deb_bytes("link", [link]))
    assert built(tmp_path, paths, "/usr/local/bin/py").interpreter == "/usr/local/bin/py"


@pytest.mark.parametrize(
    "entry, why",
    [
        (Entry("./usr/bin/python9", elf_bytes(), mode=0o644), "is not executable"),
        (Entry("./usr/bin/python9", elf_bytes(183), mode=0o755), "a program for aarch64"),
        (Entry("./usr/bin/python9", b"#!/bin/sh\n", mode=0o755), "no ELF program"),
        (Entry("./usr/bin/python9/x", b""), "no such file"),
    ],
)
def test_an_interpreter_that_cannot_run_is_named(tmp_path: Path, entry: Entry, why: str) -> None:
    paths = debs(tmp_path, bad=deb_bytes("bad", [entry]))
    error = refused(tmp_path, paths, "/usr/bin/python9")
    assert "/usr/bin/python9" in error
    assert why in error


def test_bytecode_needs_an_interpreter_of_the_same_minor_version(tmp_path: Path) -> None:
    other = [Entry("./usr/bin/python9.1", elf_bytes(), mode=0o755)]
    paths = debs(tmp_path, other=deb_bytes("python9.1-minimal", other, version="9.1.7-1"))
    error = refused(tmp_path, paths, "/usr/bin/python9.1")
    assert "install CPython 9.1" in error


@pytest.mark.parametrize(
    "entry, why",
    [
        (
            Entry("./usr/lib/libx.so", elf_bytes(needed=["libgone.so.1"])),
            "/usr/lib/libx.so of Debian package more 1.0-1 needs libgone.so.1",
        ),
        (
            Entry("./usr/bin/x", elf_bytes(interpreter="/lib/ld-gone.so")),
            "/usr/bin/x of Debian package more 1.0-1 needs /lib/ld-gone.so",
        ),
        (Entry("./usr/lib/libx.so", elf_bytes(needed=["a"])[:130]), "a damaged /usr/lib/libx.so"),
        (
            Entry("./usr/lib/x", kind=tarfile.SYMTYPE, link="../gone"),
            "Debian package more 1.0-1 has the link /usr/lib/x to ../gone",
        ),
        (Entry("./usr/lib/x", kind=tarfile.SYMTYPE, link="x"), "has the link /usr/lib/x to x"),
        (Entry("./usr/bin/hello", b"other"), "have /usr/bin/hello, with different content"),
        (Entry("./usr/bin/hello/x", b""), "has a file at /usr/bin/hello"),
    ],
)
def test_packages_that_do_not_fit_are_named(tmp_path: Path, entry: Entry, why: str) -> None:
    assert why in refused(tmp_path, debs(tmp_path, more=deb_bytes("more", [entry])))


def test_packages_of_another_architecture_are_named(tmp_path: Path) -> None:
    error = refused(tmp_path, debs(tmp_path, more=deb_bytes("more", architecture="arm64")))
    assert "Debian package more 1.0-1 is for arm64, the image for amd64" in error


def test_packages_of_different_versions_are_named(tmp_path: Path) -> None:
    depends = "Depends: gone (>= 9), libc6 (>= 2.0) | libc6.1, libc6 (<< 2.36), debconf\n"
    error = refused(tmp_path, debs(tmp_path, more=deb_bytes("more", fields=depends)))
    assert "more 1.0-1 needs libc6 (<< 2.36), but the image has libc6 2.36-9+deb12u14" in error
    assert "./pants generate-lockfiles" in error


def test_a_package_given_twice_is_named(tmp_path: Path) -> None:
    paths = debs(tmp_path)
    assert "hello was given twice" in refused(tmp_path, [*paths, paths[-1]])


def test_links_of_a_merged_usr_are_no_files(tmp_path: Path) -> None:
    entries = [Entry("./lib", kind=tarfile.SYMTYPE, link="usr/lib")]
    built(tmp_path, debs(tmp_path, base=deb_bytes("base-files", entries)))
    assert infos(tmp_path)["lib"].linkname == "usr/lib"


def test_a_damaged_package_ends_the_program_with_its_name(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = debs(tmp_path, bad=b"!<arch>\n")
    arguments = ["--architecture=amd64", f"--interpreter={INTERPRETER}", f"--out={tmp_path}/out"]
    assert run(["rootfs", *arguments, *paths]) == 1
    assert capfd.readouterr().err.startswith("bad.deb is not a Debian package")
    assert not (tmp_path / "out").exists()


def test_a_version_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    (path,) = write_debs(
        tmp_path, {"x.deb": deb_bytes("x", [Entry("./usr/bin/python3", b"")], version="sid-1")}
    )
    with pytest.raises(DebianError, match="cannot tell the Python version"):
        python_version(Member("usr/bin/python3"), [read_deb(path)])


@pytest.mark.parametrize(
    "path, expected",
    [
        ("a/file", "a/file"),
        ("link/file", "a/file"),
        ("b/up", "a/file"),
        ("/b/absolute/../x", "x"),
        ("ring", None),
        ("../../a", "a"),
    ],
)
def test_paths_are_resolved_as_the_kernel_does(path: str, expected: str | None) -> None:
    members = {
        "link": Member("link", link="a"),
        "b/up": Member("b/up", link="../link/./file"),
        "b/absolute": Member("b/absolute", link="/a"),
        "ring": Member("ring", link="ring2"),
        "ring2": Member("ring2", link="ring"),
    }
    assert resolve(path, members) == expected


def test_members_do_not_depend_on_the_order_of_packages(tmp_path: Path) -> None:
    read = [read_deb(path) for path in debs(tmp_path)]
    assert sorted(map(repr, root_members(read, "amd64"))) == sorted(
        map(repr, root_members(read[::-1], "amd64"))
    )
