"""The lists of Debian packages that come with Inseam: what is locked gives a Python that runs."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import inseam
from inseam.formats.debian.facts import facts_of
from inseam.formats.debian.lock import check_current, parse_lock
from inseam.formats.debian.package import DebianPackage, dump_package
from inseam.formats.debian.request import parse_request
from inseam.formats.rootfs.metadata import ROOTFS_FILE, ROOTFS_TAR, parse_rootfs
from inseam.formats.rootfs.tree import argv

PLUGIN = Path(str(inseam.__file__)).parent
LIBRARIES = "usr/lib/x86_64-linux-gnu"

WORKS = """
import asyncio, bz2, ctypes, decimal, hashlib, json, lzma, os, sqlite3, ssl, sys, zlib, zoneinfo
assert sqlite3.connect(":memory:").execute("select json_extract('[7]', '$[0]')").fetchone() == (7,)
for codec in bz2, lzma, zlib:
    assert codec.decompress(codec.compress(b"x" * 1000)) == b"x" * 1000
assert hashlib.new("sha3_256").digest_size == 32
stale = [name for name, module in sys.modules.items()
         if getattr(module, "__cached__", None) and not os.path.exists(module.__cached__)]
print(json.dumps(["%d.%d.%d" % sys.version_info[:3], sys.implementation.cache_tag, stale]))
"""


def run(*argv: str, python: tuple[str, ...] = (sys.executable,)) -> str:
    """Runs a program of Inseam; gives what it says if it fails, else nothing."""
    result = subprocess.run(
        [*python, "-sSBm", "inseam.programs", *argv],
        cwd=PLUGIN.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if result.returncode == 0 else result.stderr or "failed"


def locked(name: str) -> tuple[DebianPackage, ...]:
    """The packages of a ready list for amd64, which its lock must be of."""
    files = PLUGIN / "default_base"
    lock = parse_lock((files / f"{name}.json").read_text(), name)
    check_current(lock, parse_request((files / f"{name}.ini").read_text(), name))
    return lock.select("amd64", ["init"])


def fetched(packages: tuple[DebianPackage, ...], folder: Path) -> list[str]:
    """The packages' files. A release that is not out yet drops them from its mirrors every day."""
    paths = []
    for package in packages:
        why = run(
            "fetch_deb", f"--package={dump_package(package)}", "--release=x", f"--out={folder}"
        )
        if "is no longer on any mirror" in why:
            pytest.skip(f"{package.file_name} is no longer on any mirror: lock the list again")
        assert why == ""
        paths.append(str(folder / package.file_name))
    return paths


def unpacked(tar: Path, folder: Path) -> tuple[str, ...]:
    """Unpacks a root filesystem; gives what starts a program of it: its own loader, so that this
    needs no rights."""
    with tarfile.open(tar) as archive:
        archive.extraction_filter = lambda member, _: member  # type: ignore[assignment]
        archive.extractall(folder)
    libraries = folder / LIBRARIES
    return (str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it starts programs for amd64")
@pytest.mark.parametrize("name", ["trixie", "forky"])
def test_the_python_of_a_ready_list_runs_from_its_own_bytecode(name: str, tmp_path: Path) -> None:
    packages = locked(name)
    facts = facts_of(packages)
    debs = fetched(packages, tmp_path / "debs")
    interpreter = f"--interpreter={facts.interpreter}"
    plain, tree, whole = (tmp_path / folder for folder in ("plain", "tree", "whole"))
    assert run("rootfs", "--architecture=amd64", interpreter, f"--out={plain}", *debs) == ""
    # No other Python of this version has to be on the machine.
    assert run("interpreter", interpreter, f"--out={tree}", str(plain / ROOTFS_TAR)) == ""
    assert run("compile_rootfs", str(plain), str(whole), python=argv(str(tree))) == ""
    made = parse_rootfs((whole / ROOTFS_FILE).read_text())
    assert (made.python_version, made.glibc_version) == (facts.python_version, facts.glibc_version)
    # Of the standard library nothing is missing but what the list leaves out.
    assert {"_dbm", "curses", "readline"} <= set(made.dropped_modules)
    assert not {"_ssl", "_sqlite3", "_ctypes", "_lzma", "_uuid"} & set(made.dropped_modules)
    assert made.content_size < 70_000_000
    loader = unpacked(whole / ROOTFS_TAR, tmp_path / "root")
    command = [*loader, str(tmp_path / f"root{facts.interpreter}"), "-sSIc", WORKS]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    version, tag, stale = json.loads(printed)
    assert version == facts.python_version
    assert tag == "cpython-" + "".join(version.split(".")[:2])
    assert stale == []
