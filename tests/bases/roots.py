"""Makes root filesystems of locked packages with the programs, and runs the Python in them."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from inseam.formats import failure
from inseam.formats.debian.lock import check_current, parse_lock
from inseam.formats.debian.package import DebianPackage, package_args
from inseam.formats.debian.request import parse_request
from inseam.formats.rootfs.metadata import ROOTFS_FILE, ROOTFS_TAR, Rootfs, parse_rootfs
from inseam.formats.rootfs.start import argv

PLUGIN = Path(failure.__file__).parents[1]
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def run(*argv: str, python: Sequence[str] = (sys.executable,)) -> str:
    """Runs a program of Inseam; returns its error if it fails, otherwise ""."""
    result = subprocess.run(
        [*python, "-sSBm", "inseam.programs", *argv],
        cwd=PLUGIN.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if result.returncode == 0 else result.stderr or "failed"


def locked(name: str) -> tuple[DebianPackage, ...]:
    """The packages for amd64 in the lock of a list that comes with Inseam."""
    files = PLUGIN / "default_base"
    lock = parse_lock((files / f"{name}.json").read_text(), name)
    check_current(lock, parse_request((files / f"{name}.ini").read_text(), name))
    return lock.select("amd64", ["init"])


def fetched(packages: tuple[DebianPackage, ...], folder: Path) -> list[str]:
    """The packages' files. Mirrors of an unreleased release drop packages every day."""
    paths = []
    for package in packages:
        why = run("fetch_deb", *package_args(package), "--release=x", f"--out={folder}")
        if "is no longer on any mirror" in why:
            pytest.skip(f"{package.file_name} is no longer on any mirror: lock the list again")
        assert why == ""
        paths.append(str(folder / package.file_name))
    return paths


def made(folder: Path, interpreter: str, debs: Iterable[str], *options: str) -> Rootfs:
    """Makes the root filesystem of packages in `folder`/whole, with bytecode by its own Python."""
    plain, tree, whole = (folder / name for name in ("plain", "tree", "whole"))
    named = f"--interpreter={interpreter}"
    assert run("rootfs", "--architecture=amd64", named, f"--out={plain}", *options, *debs) == ""
    # So the machine needs no other Python of this version.
    assert run("interpreter", named, f"--out={tree}", str(plain / ROOTFS_TAR)) == ""
    assert run("compile_rootfs", str(plain), str(whole), python=argv(str(tree))) == ""
    return parse_rootfs((whole / ROOTFS_FILE).read_text())


def printed(folder: Path, interpreter: str, code: str) -> object:
    """Runs code on the Python of a root filesystem made here, and returns the JSON that it prints.
    Python is started with its own loader, so no privileges are needed.
    """
    root = folder / "root"
    with tarfile.open(folder / "whole" / ROOTFS_TAR) as archive:
        archive.extraction_filter = lambda member, _: member  # type: ignore[assignment]
        archive.extractall(root)
    folders = f"{root / LIBRARIES}:{root / 'usr/local/lib'}"
    loader = (str(root / LIBRARIES / "ld-linux-x86-64.so.2"), "--library-path", folders)
    result = subprocess.run(
        [*loader, f"{root}{interpreter}", "-sSIc", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
