"""Tells which Debian package a shared library is likely to be in (policy 8.1)."""

from __future__ import annotations

import re
from typing import Iterable

_SONAME = re.compile(r"(?P<name>lib.+?)(?:-(?P<dashed>\d[\d.]*)\.so|\.so\.(?P<dotted>[\w.]+))\Z")
# Of the program that finds them in the indexes: names of packages by library.
PACKAGES_FILE = "packages.json"
# Packages with the names of their sources, or of the first of their libraries.
_ODD = {
    "libgio-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgmodule-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "liblber-2.5.so.0": "libldap-2.5-0",
    "liblber.so.2": "libldap2",
    "libxml2.so.2": "libxml2",
    "libz.so.1": "zlib1g",
}
_PYTHON = re.compile(r"(libpython\d\.\d+)\.so\.1\.0")
# What follows the name of a package that was renamed for 64-bit times.
_RENAMED = ("", "t64")
_PLAIN = re.compile(r"[^a-z0-9+.]")


def package_names(library: str) -> tuple[str, ...]:
    """The names that policy gives the package of the library `libtinfo.so.6`: `libtinfo6`, and
    `libtinfo6t64` where it was renamed for 64-bit
    times; empty for a name without a version."""
    if library in _ODD:
        return tuple(_ODD[library] + suffix for suffix in _RENAMED)
    if python := _PYTHON.fullmatch(library):
        return (python[1],)
    match = _SONAME.match(library)
    if not match:
        return ()
    name = match["name"].lower().replace("_", "-")
    version = (match["dashed"] or match["dotted"]).lower()
    names = [f"{name}-{version}"] if name[-1].isdigit() else [f"{name}{version}"]
    names += [f"{name}{version}", f"{name}-{version}"]
    return tuple(dict.fromkeys(n + suffix for n in names for suffix in _RENAMED))


def likely_package(library: str, packages: Iterable[str]) -> str | None:
    """That of the packages which has the library, by its name."""
    names = package_names(library)
    # And some were renamed for another ABI: `v5` stands for the fifth one of C++.
    wanted = {
        _PLAIN.sub("", name) for name in (*names, *(n + end for n in names for end in ("b", "v5")))
    }
    return next((name for name in sorted(packages) if _PLAIN.sub("", name) in wanted), None)
