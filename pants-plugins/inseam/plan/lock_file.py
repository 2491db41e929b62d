"""Reads a lock with the reader for its format, which it recognises by the content."""

from __future__ import annotations

import re
from typing import Any

from inseam.formats.failure import Failure
from inseam.plan.lock_place import LockPlace
from inseam.plan.lock_values import is_name
from inseam.plan.pex_lock import parse_pex_lock
from inseam.plan.pylock import read_pylock
from inseam.plan.python_lock import PythonLock
from inseam.plan.requirements_lock import parse_requirements_lock
from inseam.plan.toml import read_toml
from inseam.plan.uv_lock import read_uv_lock

_TOML = re.compile(rb"""\[|["'A-Za-z0-9_.-]+\s*=(?!=)""")
_REQUIREMENT = re.compile(
    rb"(-[a-z-]|\.{0,2}/|[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*(===?|@))"
)
_KNOWN = "PEX, uv (uv.lock), PEP 751 (pylock.toml), or requirements with hashes"


def parse_lock(text: bytes, place: LockPlace) -> PythonLock:
    """The lock in a file of one of the known formats.

    The first line that is not a comment shows the format; file names do not, because repositories
    choose them freely. Raises Failure as the readers do, and for a file of another format.
    """
    first = next(
        (
            line
            for line in map(bytes.strip, text.splitlines())
            if line and not line.startswith((b"#", b"//"))
        ),
        b"",
    )
    if first.startswith(b"{"):
        return parse_pex_lock(text, place.path, place.resolve)
    if _TOML.match(first):
        return _toml_lock(text, place)
    if _REQUIREMENT.match(first):
        return parse_requirements_lock(text, place)
    raise _unknown(place, "nothing in it" if not first else f"it begins with {first[:40]!r}")


def project_name(pyproject: bytes) -> str:
    """The name of the project in a pyproject.toml; "" if it has none."""
    try:
        project = read_toml(pyproject).get("project")
    except ValueError:
        return ""
    name = project.get("name") if isinstance(project, dict) else None
    return str(name) if is_name(name) else ""


def _toml_lock(text: bytes, place: LockPlace) -> PythonLock:
    try:
        document = read_toml(text)
    except ValueError as error:
        raise _unknown(place, f"it is not TOML ({error})") from None
    if "lock-version" in document:
        return read_pylock(document, place)
    other = _other(document)
    if other:
        raise Failure(f"{place.path} is {other}")
    if "version" in document:
        return read_uv_lock(document, place)
    raise _unknown(place, "it has neither `lock-version` nor `version`")


def _other(document: dict[str, Any]) -> str:
    """Names the tool of an unsupported lock, and says what to do; "" for an unknown format."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return ""
    if "groups" in metadata or "strategy" in metadata:
        return (
            "a lock of PDM, which is not supported. Run: pdm export --format=pylock"
            " --output=pylock.toml"
        )
    if "content-hash" in metadata:
        return (
            "a lock of Poetry, which is not supported. Run: poetry export --output=requirements.txt"
        )
    return ""


def _unknown(place: LockPlace, why: str) -> Failure:
    return Failure(
        f"{place.path} is not a lock of a known format ({_KNOWN}): {why}. Generate it again:"
        f" {place.generate}"
    )
