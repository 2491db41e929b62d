"""Unpacks Debian packages into the root filesystem of a base image, without running their scripts.

Usage: rootfs --architecture ARCHITECTURE --interpreter PATH --out OUT [--user NAME:UID:GID]...
              [--python ARCHIVE SHA256 VERSION] DEB...

ARCHITECTURE is Debian's name for it (amd64); PATH is the path of the Python interpreter in the
image (/usr/bin/python3.11). Writes `rootfs.tar` and `rootfs.json` (`Rootfs`) to the folder OUT,
without bytecode. Each --user is an account in the image. If no package contains the interpreter,
--python gives an archive that does, its sha256, and its version of CPython (3.12.8).
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.rootfs.build import LockedPython, build
from inseam.formats.rootfs.system_files import parse_account


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="rootfs", description=__doc__)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--interpreter", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--user", action="append", default=[], type=parse_account)
    parser.add_argument("--python", nargs=3, metavar=("ARCHIVE", "SHA256", "VERSION"))
    parser.add_argument("debs", nargs="+", metavar="DEB")
    arguments = parser.parse_args(argv)
    python = None
    if arguments.python:
        path, sha256, version = arguments.python
        python = LockedPython(Path(path), sha256, version)
    build(
        arguments.debs,
        arguments.architecture,
        arguments.interpreter,
        arguments.out,
        accounts=arguments.user,
        python=python,
    )
