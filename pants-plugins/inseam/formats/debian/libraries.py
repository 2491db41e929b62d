"""Tells which Debian package a shared library is likely to be in (policy 8.1)."""

from __future__ import annotations

import re
from typing import Iterable

_SONAME = re.compile(r"(?P<name>lib.+?)(?:-(?P<dashed>\d[\d.]*)\.so|\.so\.(?P<dotted>[\w.]+))\Z")
_PLAIN = re.compile(r"[^a-z0-9+.]")


def package_names(library: str) -> tuple[str, ...]:
    """The names that policy gives the package of the library `libtinfo.so.6`: `libtinfo6`, and
    `libtinfo6t64` where it was renamed for 64-bit times; empty for a name without a version."""
    match = _SONAME.match(library)
    if not match:
        return ()
    name = match["name"].lower().replace("_", "-")
    version = (match["dashed"] or match["dotted"]).lower()
    names = [f"{name}-{version}"] if name[-1].isdigit() else [f"{name}{version}"]
    names += [f"{name}{version}", f"{name}-{version}"]
    return tuple(dict.fromkeys(n + suffix for n in names for suffix in ("", "t64")))


def likely_package(library: str, packages: Iterable[str]) -> str | None:
    """That of the packages which has the library, by its name."""
    wanted = {_PLAIN.sub("", name) for name in package_names(library)}
    return next((name for name in sorted(packages) if _PLAIN.sub("", name) in wanted), None)
