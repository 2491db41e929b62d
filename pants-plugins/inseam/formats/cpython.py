"""How an installation of CPython is laid out: the names of its files and folders."""

from __future__ import annotations

import posixpath
import re
from typing import Collection

# The name of an interpreter and of its standard library's folder; `t` is for one that was built
# without the global lock (PEP 703).
NAME = r"python3\.\d+t?"


def is_free_threaded(interpreter: str) -> bool:
    """Whether the interpreter at a path was built without the global lock, which its name says:
    `python3.13t`. Its standard library is named so, too; its bytecode is not."""
    return re.search(r"python3\.\d+t\Z", interpreter) is not None


def own_library(interpreter: str, modules: Collection[str]) -> str | None:
    """The folder of the standard library of the interpreter at a path; None if there is none, or
    more than one that may be it.

    modules: the paths of all modules `os` in the root file system, with or without others; they and
    `interpreter` are absolute, or they are relative to the root.
    """
    prefix = posixpath.dirname(posixpath.dirname(interpreter))
    pattern = re.compile(rf"{re.escape(posixpath.join(prefix, 'lib'))}/{NAME}/os\.py")
    found = sorted(posixpath.dirname(path) for path in modules if pattern.fullmatch(path))
    named = [path for path in found if path.endswith(posixpath.basename(interpreter))]
    for several in (named, found):
        if len(several) == 1:
            return several[0]
    return None
