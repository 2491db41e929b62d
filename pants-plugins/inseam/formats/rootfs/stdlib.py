"""Leaves out the standard library modules whose shared libraries are missing."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from inseam.formats.cpython import NAME
from inseam.formats.rootfs.checks import libraries
from inseam.formats.tar import Member

_EXTENSION = re.compile(
    rf"(?P<stdlib>usr/(?:local/)?lib/{NAME})/lib-dynload/(?P<name>\w+)\.[^/]+\.so\Z"
)
# Packages that cannot be imported without the extension module.
_PACKAGES = {"_curses": "curses", "_tkinter": "tkinter"}


def without_useless_modules(members: Sequence[Member]) -> tuple[list[Member], tuple[str, ...]]:
    """The members that can be used, and the sorted names of the modules that were left out."""
    names = {posixpath.basename(member.path) for member in members}
    gone: set[str] = set()
    folders: list[str] = []
    paths: set[str] = set()
    for member in members:
        match = _EXTENSION.match(member.path)
        if match and any(
            not needs.startswith("/") and needs not in names for needs in libraries(member)
        ):
            gone.add(match["name"])
            paths.add(member.path)
            if match["name"] in _PACKAGES:
                gone.add(_PACKAGES[match["name"]])
                folders.append(f"{match['stdlib']}/{_PACKAGES[match['name']]}/")
    kept = [
        member
        for member in members
        if member.path not in paths and not member.path.startswith(tuple(folders))
    ]
    return kept, tuple(sorted(gone))
