"""Names that become paths: types for names that were checked, and the checks."""

from __future__ import annotations

from typing import NewType

from inseam.formats.failure import Failure
from inseam.formats.tar import LONGEST_NAME, LONGEST_PATH

# A file's name: one part of a path, which stays in its folder. It is not an option or a glob, and
# has no control characters.
FileName = NewType("FileName", str)
# A path below a folder.
RelativePath = NewType("RelativePath", str)

_SPECIAL = frozenset("/\\*?[]{}")


def file_name(text: str, what: str) -> FileName:
    """Checks a name from outside; raises Failure, naming `what`, if it is not the plain name of a
    file in a folder.
    """
    problem = _problem(text)
    if problem:
        raise Failure(f"{what} {problem}: {text[:100]!r}")
    return FileName(text)


def relative_path(text: str, what: str) -> RelativePath:
    """Checks a path that must stay below a folder; raises Failure, naming `what`, otherwise."""
    problem = next(filter(None, map(_problem, text.split("/"))), None)
    if problem is None and len(text.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        problem = f"is longer than {LONGEST_PATH} bytes"
    if problem:
        raise Failure(f"{what} {problem}: {text[:100]!r}")
    return RelativePath(text)


def _problem(name: str) -> str | None:
    if name in ("", ".", ".."):
        return "is not a name of a file, or leads out of its folder"
    if not name.isprintable() or not _SPECIAL.isdisjoint(name):
        return "has a character that a file name must not have"
    if name.startswith("-"):
        return "begins with a dash, like an option"
    if len(name.encode()) > LONGEST_NAME:
        return f"has a part longer than {LONGEST_NAME} bytes"
    return None
