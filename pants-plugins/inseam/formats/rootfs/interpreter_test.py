from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb import read_deb
from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes, write_debs
from inseam.formats.rootfs.interpreter import python_version
from inseam.formats.rootfs.rootfs_testing import (
    INTERPRETER,
    MINOR,
    built,
    debs,
    refused,
)
from inseam.formats.tar import Member


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, debs(tmp_path), "/usr/bin/python2.7")
    assert "/usr/bin/python2.7" in error
    assert f"interpreters in them: {INTERPRETER}" in error
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


def test_a_version_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    (path,) = write_debs(
        tmp_path, {"x.deb": deb_bytes("x", [Entry("./usr/bin/python3", b"")], version="sid-1")}
    )
    with pytest.raises(DebianError, match="cannot tell the Python version"):
        python_version(Member("usr/bin/python3"), [read_deb(path)])
