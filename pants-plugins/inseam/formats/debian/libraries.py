"""Guesses which Debian package contains a shared library (policy 8.1)."""

from __future__ import annotations

import re
from typing import Iterable

_SONAME = re.compile(r"(?P<name>lib.+?)(?:-(?P<dashed>\d[\d.]*)\.so|\.so\.(?P<dotted>[\w.]+))\Z")
# The output of the program that searches the indexes: names of packages by library.
PACKAGES_FILE = "packages.json"
# Packages that are named after their source package, or after the first of their libraries.
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
# The suffix of packages that were renamed for 64-bit times.
_RENAMED = ("", "t64")
_PLAIN = re.compile(r"[^a-z0-9+.]")


def package_names(library: str) -> tuple[str, ...]:
    """The names that policy gives to the package of a library. For `libtinfo.so.6`: `libtinfo6`,
    and `libtinfo6t64` in case it was renamed for 64-bit times. Empty for a name without a version.
    """
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
    """The package that contains the library, judging by the packages' names."""
    names = package_names(library)
    # Some were renamed for another ABI: `v5` stands for the fifth C++ ABI.
    wanted = {
        _PLAIN.sub("", name) for name in (*names, *(n + end for n in names for end in ("b", "v5")))
    }
    return next((name for name in sorted(packages) if _PLAIN.sub("", name) in wanted), None)
