"""Finds the CPython and the glibc of a base from its locked packages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.package import DebianPackage
from inseam.formats.glibc import GlibcVersion, parse_glibc

_INTERPRETER_PACKAGE = re.compile(r"(python3\.\d+)-minimal\Z")
_FULL_VERSION = re.compile(r"(?:\d+:)?(\d+\.\d+\.\d+)")
_GLIBC_VERSION = re.compile(r"(?:\d+:)?(\d+\.\d+)")


@dataclass(frozen=True)
class Facts:
    """The interpreter and libc of a base."""

    interpreter: str
    """Absolute path of its CPython in the image."""
    python_version: str
    """Full version of its CPython, such as "3.11.2"."""
    glibc: GlibcVersion


def facts_of(packages: Sequence[DebianPackage], interpreter: str | None = None) -> Facts:
    """The facts about a base with these packages.

    interpreter: its path, if the base declares one. By default, it is that of the only CPython.

    Raises DebianError if there is no CPython, more than one to choose from, or no glibc.
    """
    found = {}
    for package in packages:
        match = _INTERPRETER_PACKAGE.match(package.name)
        if match:
            found[f"/usr/bin/{match[1]}"] = _version(package, _FULL_VERSION)
    if not found:
        raise DebianError(
            "no locked package contains CPython: add one such as `python3.11-minimal`, and"
            " `libpython3.11-stdlib`, to [base] in the list of packages, then lock them again; or"
            " name archives with one in `python_archives`"
        )
    if interpreter in found:
        path = interpreter
    elif len(found) == 1:
        (path,) = found
    else:
        raise DebianError(
            f"the locked packages have more than one CPython; set `interpreter` to one of"
            f" {', '.join(sorted(found))}"
        )
    return Facts(interpreter or path, found[path], glibc_of(packages))


def glibc_of(packages: Sequence[DebianPackage]) -> GlibcVersion:
    """The version of glibc in the packages; raises DebianError if they do not contain it."""
    glibc = next((package for package in packages if package.name == "libc6"), None)
    if glibc is None:
        raise DebianError("no locked package is libc6: add it to the list of packages")
    return parse_glibc(_version(glibc, _GLIBC_VERSION))


def _version(package: DebianPackage, pattern: re.Pattern[str]) -> str:
    match = pattern.match(package.version)
    if not match:
        raise DebianError(f"cannot tell the version of the software in {package}")
    return match[1]


def check_declared(field: str, declared: str | None, found: str) -> None:
    """Raises DebianError if a base declares a value that differs from the one in its lock."""
    if declared is not None and declared != found:
        raise DebianError(
            f"`{field}` is {declared!r}, but the lock has {found!r}; remove the field"
        )
