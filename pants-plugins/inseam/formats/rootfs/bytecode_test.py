from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes
from inseam.formats.failure import Failure
from inseam.formats.rootfs.build import build
from inseam.formats.rootfs.bytecode import add_bytecode
from inseam.formats.rootfs.rootfs_testing import MINOR, built, compiled, content, debs, infos
from inseam.programs.__main__ import run


def test_bytecode_is_beside_each_source_that_compiles(tmp_path: Path) -> None:
    compiled(tmp_path, debs(tmp_path))
    tag = MINOR.replace(".", "")
    pycs = [name for name in infos(tmp_path) if name.endswith(".pyc")]
    assert pycs == [
        f"usr/lib/python{MINOR}/__pycache__/os.cpython-{tag}.pyc",
        f"usr/lib/python{MINOR}/json/__pycache__/__init__.cpython-{tag}.pyc",
    ]
    assert content(tmp_path, pycs[0])[4:8] == b"\x01\0\0\0"  # PEP 552: unchecked hash


def test_all_else_stays_as_it_is(tmp_path: Path) -> None:
    built(tmp_path / "plain", debs(tmp_path))
    rootfs = compiled(tmp_path, debs(tmp_path))
    found = infos(tmp_path)
    for name, info in infos(tmp_path / "plain").items():
        same = found[name]
        assert (info.mode, info.type, info.linkname, info.size, info.uid) == (
            same.mode, same.type, same.linkname, same.size, same.uid
        )  # fmt: skip
        if info.isreg():
            assert content(tmp_path, name) == content(tmp_path / "plain", name)
    assert (tmp_path / "out/rootfs.tar").stat().st_size == rootfs.size
    assert rootfs.content_size == sum(
        len(info.linkname) if info.issym() else info.size for info in found.values()
    )


def test_the_program_makes_the_same_bytes_wherever_it_runs(tmp_path: Path) -> None:
    compiled(tmp_path, debs(tmp_path))
    mask = os.umask(0o077)
    try:
        other = tmp_path / "other"
        assert run(["compile_rootfs", str(tmp_path / "plain"), str(other / "out")]) == 0
    finally:
        os.umask(mask)
    for name in ("rootfs.tar", "rootfs.json"):
        assert (tmp_path / "out" / name).read_bytes() == (other / "out" / name).read_bytes()
    with tarfile.open(other / "out/rootfs.tar") as archive:
        assert {info.mtime for info in archive} == {0}


def test_bytecode_needs_an_interpreter_of_the_same_minor_version(tmp_path: Path) -> None:
    python = [Entry("./usr/bin/python9.1", elf_bytes(), mode=0o755)]
    paths = debs(tmp_path, other=deb_bytes("python9.1-minimal", python, version="9.1.7-1"))
    build(paths, "amd64", "/usr/bin/python9.1", tmp_path / "plain")
    with pytest.raises(Failure, match="install CPython 9.1"):
        add_bytecode(tmp_path / "plain", tmp_path / "out")
    assert not (tmp_path / "out").exists()
