"""A base whose CPython is an archive, made of one that is installed here."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from bases.roots import fetched, locked, made, printed
from inseam.formats.debian.facts import glibc_of
from inseam.formats.glibc import parse_glibc
from inseam.formats.python.archive import interpreter_path

VERSION = ".".join(map(str, sys.version_info[:3]))
MINOR = ".".join(map(str, sys.version_info[:2]))

WORKS = """
import asyncio, hashlib, json, os, sqlite3, ssl, sys, zlib
stale = [name for name, module in sys.modules.items()
         if getattr(module, "__cached__", None) and not os.path.exists(module.__cached__)]
home = os.path.realpath(os.__file__).rpartition("/usr/")[2]
print(json.dumps(["%d.%d.%d" % sys.version_info[:3], home, stale]))
"""


def archive(path: Path) -> str:
    """Writes the CPython that runs this, with the layout of python-build-standalone; gives its
    sha256."""
    prefix = Path(sys.base_prefix)
    library = sysconfig.get_config_var("LDLIBRARY") or ""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        program = os.path.realpath(prefix / f"bin/python{MINOR}")
        tar.add(program, f"python/bin/python{MINOR}")
        for name in (library, f"{library}.1.0"):
            if ".so" in name and (prefix / "lib" / name).exists():
                tar.add(prefix / "lib" / name, f"python/lib/{name}")
        tar.add(prefix / f"lib/python{MINOR}", f"python/lib/python{MINOR}", filter=_needed)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _needed(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """All but what is large, and left out of images anyway."""
    name = info.name.rpartition("/")[2]
    return None if name in ("test", "site-packages", "__pycache__") else info


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it starts programs for amd64")
def test_a_base_runs_the_python_of_an_archive(tmp_path: Path) -> None:
    # It has the shared libraries that a CPython from sources needs.
    packages = tuple(package for package in locked("trixie") if "python" not in package.name)
    here = platform.libc_ver()[1]
    if parse_glibc(here) > glibc_of(packages):
        pytest.skip(f"this machine's CPython was built for glibc {here}")
    sha256 = archive(tmp_path / "cpython.tar.gz")
    interpreter = interpreter_path(VERSION)
    options = ("--python", str(tmp_path / "cpython.tar.gz"), sha256, VERSION)
    rootfs = made(tmp_path, interpreter, fetched(packages, tmp_path / "debs"), *options)
    assert (rootfs.python_version, rootfs.interpreter) == (VERSION, interpreter)
    assert not {"_ssl", "_sqlite3", "zlib"} & set(rootfs.left_out_modules)
    stdlib = f"local/lib/python{MINOR}/os.py"
    assert printed(tmp_path, interpreter, WORKS) == [VERSION, stdlib, []]
