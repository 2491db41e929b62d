from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from inseam.formats.debian.deb import read_deb
from inseam.formats.debian.deb_testing import Entry, deb_bytes
from inseam.formats.debian.package import dump_package, load_package
from inseam.formats.failure import Failure
from inseam.formats.rootfs.build import LockedPython, root_members
from inseam.formats.rootfs.bytecode import add_bytecode
from inseam.formats.rootfs.rootfs_testing import (
    INTERPRETER,
    MINOR,
    archive_bytes,
    archive_files,
    built,
    content,
    debs,
    infos,
    refused,
)
from inseam.programs.__main__ import run
from inseam.programs.program_testing import MAIN


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
    assert (found["var/empty"].isdir(), found["var/empty"].mode) == (True, 0o755)
    assert (tmp_path / "out" / "rootfs.tar").stat().st_size == rootfs.size
    assert rootfs.content_size == sum(
        len(info.linkname) if info.issym() else info.size for info in found.values()
    )


MODES = {
    "home/nonroot": 0o1777,
    "root": 0o700,
    "tmp": 0o1777,
    "var/tmp": 0o1777,
}


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
            assert info.mode == MODES.get(info.name, 0o755)
        assert set(info.pax_headers) <= {"path", "linkpath", "size"}
        parent = os.path.dirname(info.name)
        assert not parent or parent in names[: names.index(info.name)]


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
                *(sys.executable, "-sBc", MAIN, "rootfs", "--architecture=amd64"),
                "--user=shop:1000",
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


@pytest.mark.parametrize(
    "entry, why",
    [
        (Entry("./usr/bin/hello", b"other"), "have /usr/bin/hello, with different content"),
        (Entry("./usr/bin/hello/x", b""), "has a file at /usr/bin/hello"),
    ],
)
def test_packages_that_do_not_fit_are_named(tmp_path: Path, entry: Entry, why: str) -> None:
    assert why in refused(tmp_path, debs(tmp_path, more=deb_bytes("more", [entry])))


def test_packages_of_another_architecture_are_named(tmp_path: Path) -> None:
    error = refused(tmp_path, debs(tmp_path, more=deb_bytes("more", architecture="arm64")))
    assert "Debian package more 1.0-1 is for arm64, but the image is for amd64" in error


def test_packages_of_different_versions_are_named(tmp_path: Path) -> None:
    depends = "Depends: gone (>= 9), libc6 (>= 2.0) | libc6.1, libc6 (<< 2.36), debconf\n"
    error = refused(tmp_path, debs(tmp_path, more=deb_bytes("more", fields=depends)))
    assert "more 1.0-1 needs libc6 (<< 2.36), but the image has libc6 2.36-9+deb12u14" in error
    assert "lock the packages again" in error


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


def test_members_do_not_depend_on_the_order_of_packages(tmp_path: Path) -> None:
    read = [read_deb(path) for path in debs(tmp_path)]
    results = [root_members(order, "amd64", INTERPRETER) for order in (read, read[::-1])]
    assert sorted(results[0].members) == sorted(results[1].members)


def links(folder: Path) -> dict[str, str]:
    return {name: info.linkname for name, info in infos(folder).items() if info.issym()}


def test_links_of_packages_lead_where_they_do_on_debian(tmp_path: Path) -> None:
    """Into /etc, to empty directories, and nowhere: all of that is the package's affair."""
    entries = [
        Entry("./etc/more/more.conf", b"x"),
        Entry("./etc/more.d/", kind=tarfile.DIRTYPE, mode=0o755),
        Entry("./usr/lib/more/conf", kind=tarfile.SYMTYPE, link="/etc/more"),
        Entry("./usr/lib/more/d", kind=tarfile.SYMTYPE, link="/etc/more.d"),
        Entry("./usr/lib/more/gone", kind=tarfile.SYMTYPE, link="../gone"),
        Entry("./usr/lib/more/ring", kind=tarfile.SYMTYPE, link="ring"),
        Entry("./usr/lib/more/manual", kind=tarfile.SYMTYPE, link="/usr/share/man/man1/m.1"),
        Entry("./usr/share/man/man1/m.1", b"page"),
    ]
    built(tmp_path, debs(tmp_path, more=deb_bytes("more", entries)))
    found = {path: link for path, link in links(tmp_path).items() if "more/" in path}
    assert found == {
        "usr/lib/more/conf": "/etc/more",
        "usr/lib/more/d": "/etc/more.d",
        "usr/lib/more/gone": "../gone",
        "usr/lib/more/ring": "ring",
    }
    assert infos(tmp_path)["etc/more.d"].isdir()


def test_directories_keep_their_modes_but_nobody_becomes_their_group(tmp_path: Path) -> None:
    one = [
        Entry("./var/spool/one/", kind=tarfile.DIRTYPE, mode=0o1730),
        Entry("./var/both/", kind=tarfile.DIRTYPE, mode=0o700),
        Entry("./usr/lib/one/", kind=tarfile.DIRTYPE, mode=0o755),
        Entry("./usr/lib/one/file", b"x"),
        Entry("./usr/share/man/one/", kind=tarfile.DIRTYPE, mode=0o755),
    ]
    two = [
        Entry("./var/both/", kind=tarfile.DIRTYPE, mode=0o755),
        Entry("./var/mail/", kind=tarfile.DIRTYPE, mode=0o2775),
    ]
    more = {"one": deb_bytes("one", one), "two": deb_bytes("two", two)}
    built(tmp_path, debs(tmp_path, **more))
    found = infos(tmp_path)
    modes = {name: found[name].mode for name in ("var/spool/one", "var/both", "var/mail")}
    assert modes == {"var/spool/one": 0o1730, "var/both": 0o700, "var/mail": 0o755}
    assert "usr/share/man/one" not in found


def test_what_packages_bring_is_not_replaced_by_what_is_made_here(tmp_path: Path) -> None:
    """busybox has an applet of the same name as a real program, openssl its own links."""
    busybox = deb_bytes("busybox", [Entry("./bin/busybox", b"box", mode=0o755)])
    other = [
        Entry("./bin/ps", b"real", mode=0o755),
        Entry("./etc/nsswitch.conf", b"mine"),
        Entry("./usr/bin/python3", kind=tarfile.SYMTYPE, link="python3.99"),
    ]
    built(tmp_path, debs(tmp_path, busybox=busybox, other=deb_bytes("other", other)))
    assert content(tmp_path, "usr/bin/ps") == b"real"
    assert content(tmp_path, "etc/nsswitch.conf") == b"mine"
    assert links(tmp_path)["usr/bin/ls"] == "busybox"
    assert links(tmp_path)["usr/bin/python3"] == "python3.99"


def test_a_package_must_be_the_one_that_was_locked(tmp_path: Path) -> None:
    paths = debs(tmp_path)
    description = Path(f"{paths[0]}.json")
    locked = load_package(description.read_text())
    for wrong in (
        replace(locked, name="libc7"),
        replace(locked, version="9-1"),
        replace(locked, architecture="arm64"),
    ):
        description.write_text(dump_package(wrong))
        assert "contains libc6 2.36-9+deb12u14 amd64" in refused(tmp_path, paths)


def without_python(folder: Path) -> list[str]:
    return [path for path in debs(folder) if "python" not in Path(path).name]


def locked_archive(folder: Path, version: str = f"{MINOR}.5") -> LockedPython:
    path = folder / "cpython.tar.gz"
    path.write_bytes(archive_bytes(archive_files()))
    return LockedPython(path, hashlib.sha256(path.read_bytes()).hexdigest(), version)


def test_an_archive_brings_the_python_of_a_base_whose_packages_have_none(tmp_path: Path) -> None:
    interpreter = f"/usr/local/bin/python{MINOR}"
    python = locked_archive(tmp_path)
    rootfs = built(tmp_path / "plain", without_python(tmp_path), interpreter, python)
    assert (rootfs.interpreter, rootfs.python_version) == (interpreter, f"{MINOR}.5")
    assert (rootfs.glibc_version, rootfs.left_out_modules) == ("2.36", ())
    add_bytecode(tmp_path / "plain/out", tmp_path / "out")
    found = infos(tmp_path)
    tag = MINOR.replace(".", "")
    stdlib = f"usr/local/lib/python{MINOR}"
    assert f"{stdlib}/json/__pycache__/__init__.cpython-{tag}.pyc" in found
    assert found["usr/local/bin/python3"].linkname == f"python{MINOR}"
    assert not {"usr/bin/python3", "usr/local/bin/pip3", f"{stdlib}/test/test_os.py"} & set(found)
    # The loader finds its library, as others may need it.
    assert f"libpython{MINOR}.so.1.0" in rootfs.libraries


def test_the_program_makes_the_same_of_an_archive(tmp_path: Path) -> None:
    interpreter = f"/usr/local/bin/python{MINOR}"
    python, paths = locked_archive(tmp_path), without_python(tmp_path)
    built(tmp_path, paths, interpreter, python)
    named = ["--python", str(python.path), python.sha256, python.version]
    out, options = tmp_path / "other", ["--architecture=amd64", f"--interpreter={interpreter}"]
    assert run(["rootfs", *options, f"--out={out}", *named, *paths]) == 0
    for name in ("rootfs.tar", "rootfs.json"):
        assert (out / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


@pytest.mark.parametrize(
    "version, interpreter",
    [(f"{MINOR}.6", f"/usr/local/bin/python{MINOR}"), (f"{MINOR}.5", "/usr/local/bin/python")],
)
def test_an_archive_must_have_the_python_that_the_base_declares(
    tmp_path: Path, version: str, interpreter: str
) -> None:
    python = locked_archive(tmp_path, version)
    with pytest.raises(Failure) as error:
        built(tmp_path, without_python(tmp_path), interpreter, python)
    assert f"has CPython {MINOR}.5 as /usr/local/bin/python{MINOR}" in str(error.value)
    assert f"but the base declares {version} as {interpreter}" in str(error.value)
    assert not (tmp_path / "out").exists()
