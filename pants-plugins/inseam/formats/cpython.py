"""The layout of a CPython installation: the names of its files and folders."""

from __future__ import annotations

import posixpath
import re
from typing import Collection

# The name of an interpreter and of its standard library's folder; `t` means that it was built
# without the global interpreter lock (PEP 703).
NAME = r"python3\.\d+t?"


def is_free_threaded(interpreter: str) -> bool:
    """Whether the interpreter at a path was built without the global interpreter lock, according to
    its name, such as `python3.13t`. Its standard library has the same suffix; its bytecode has not.
    """
    return re.search(r"python3\.\d+t\Z", interpreter) is not None


def own_library(interpreter: str, modules: Collection[str]) -> str | None:
    """The folder of the standard library of the interpreter at a path; None if there is none, or if
    several are possible.

    modules: paths that include those of all modules `os` in the root filesystem. They and
    `interpreter` are either absolute or relative to the root.
    """
    prefix = posixpath.dirname(posixpath.dirname(interpreter))
    pattern = re.compile(rf"{re.escape(posixpath.join(prefix, 'lib'))}/{NAME}/os\.py")
    found = sorted(posixpath.dirname(path) for path in modules if pattern.fullmatch(path))
    named = [path for path in found if path.endswith(posixpath.basename(interpreter))]
    for several in (named, found):
        if len(several) == 1:
            return several[0]
    return None
