"""Checks that a PEX lock has the form that the rules rely on, before anybody reads a part of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from inseam.formats.failure import Failure
from inseam.formats.names import FileName, file_name

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")  # PEP 508, "Names"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-fA-F]+")


def check_lock(lock: Any, path: str, resolve: str) -> dict[str, Any]:
    """The JSON value of a lock, if each field that is read of it has the right type and form.

    Raises Failure that names the lock's file, the entry and the field.
    """
    problem = next(_problems(lock), None)
    if problem is not None:
        raise Failure(
            f"{path} is not a PEX lock file: {problem}. Generate it again: ./pants"
            f" generate-lockfiles --resolve={resolve}"
        )
    result: dict[str, Any] = lock
    return result


def artifact_name(url: str, what: str) -> FileName:
    """The name of the file that a URL of a lock leads to; raises Failure, naming `what`, for one
    that is not the name of a file in a folder."""
    return file_name(unquote(urlsplit(url).path.rsplit("/", 1)[-1]), f"the file name of {what}")


def _problems(lock: Any) -> Iterator[str]:
    """What is wrong with the lock, each as `ENTRY has no usable FIELD`."""
    parts = lock.get("locked_resolves") if isinstance(lock, dict) else None
    if not isinstance(parts, list) or not parts:
        yield "`locked_resolves` is not a list of resolves"
        return
    for number, part in enumerate(parts, 1):
        where = f"resolve {number}"
        if not isinstance(part, dict) or not isinstance(part.get("locked_requirements"), list):
            yield f"{where} has no usable `locked_requirements`, a list of distributions"
            return
        yield from _field(part, "marker", where, _marker, "a marker of PEP 508 or null")
        names: set[str] = set()
        for count, item in enumerate(part["locked_requirements"], 1):
            yield from _item(item, f"distribution {count}", names)


def _item(item: Any, where: str, names: set[str]) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"{where} is not an object"
        return
    yield from _field(item, "project_name", where, _is(_NAME), "a name of a distribution")
    name = canonicalize_name(item["project_name"])
    if name in names:
        yield f"it has {name} twice"
    names.add(name)
    yield from _field(item, "version", name, _version, "a version of PEP 440")
    where = f"{name} {item['version']}"
    yield from _field(item, "requires_python", where, _optional_text, "versions of Python or null")
    yield from _field(item, "requires_dists", where, _strings, "a list of requirements")
    artifacts = item.get("artifacts")
    if not isinstance(artifacts, list) or not artifacts:
        yield f"{where} has no usable `artifacts`, a list of files"
        return
    for number, artifact in enumerate(artifacts, 1):
        yield from _artifact(artifact, name, item["version"], f"file {number} of {where}")


def _artifact(artifact: Any, name: str, version: str, where: str) -> Iterator[str]:
    if not isinstance(artifact, dict):
        yield f"{where} is not an object"
        return
    yield from _field(artifact, "url", where, _url, "a URL")
    yield from _field(artifact, "algorithm", where, _text, "the name of a hash")
    sha256 = artifact["algorithm"] == "sha256"
    form = "a sha256 of 64 hexadecimal digits" if sha256 else "a hash in hexadecimal digits"
    yield from _field(artifact, "hash", where, _is(_SHA256 if sha256 else _HEX), form)
    if not unquote(urlsplit(artifact["url"]).path).endswith(".whl"):
        return
    try:
        filename = artifact_name(artifact["url"], where)
    except Failure as error:
        yield str(error)
        return
    try:
        found, release, _, _ = parse_wheel_filename(filename)
    except ValueError:
        return  # Nobody installs it.
    if found != name or release != Version(version):
        yield f"{where} is {filename!r}, a wheel of {found} {release}"


def _field(
    entry: dict[str, Any], field: str, where: str, usable: Callable[[Any], bool], form: str
) -> Iterator[str]:
    if not usable(entry.get(field)):
        shown = repr(entry[field])[:80] if field in entry else "missing"
        yield f"{where} has no usable `{field}`, {form}: it is {shown}"


def _text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _marker(value: Any) -> bool:
    return value is None or _parses(Marker, value, InvalidMarker)


def _version(value: Any) -> bool:
    return _parses(Version, value, InvalidVersion)


def _optional_text(value: Any) -> bool:
    return value is None or _text(value)


def _parses(read: Callable[[str], object], value: Any, error: type[ValueError]) -> bool:
    if not isinstance(value, str):
        return False
    try:
        read(value)
    except (error, RecursionError):
        return False
    return True


def _url(value: Any) -> bool:
    if not _text(value) or " " in value:
        return False
    try:
        return bool(urlsplit(value).scheme)
    except ValueError:
        return False
