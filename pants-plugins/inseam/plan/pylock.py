"""Reads `pylock.toml`, the lock of PEP 751, which uv, pip and PDM write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from inseam.formats.failure import Failure
from inseam.formats.python.repository import COMMIT
from inseam.formats.schema import Entry, is_text, matches, optional, shown
from inseam.plan.lock_place import LockPlace
from inseam.plan.lock_values import (
    artifact_name,
    check_artifact,
    checkout_url,
    hash_form,
    is_hash,
    is_marker,
    is_name,
    is_specifiers,
    is_url,
    is_version,
)
from inseam.plan.python_lock import Artifact, Distribution, Part, PythonLock

VERSION = "1"  # The major version; minor versions only add what older readers may ignore.
_MEMBERSHIP = re.compile(
    r"""(?P<quote>["'])(?P<name>[A-Za-z0-9._-]*)(?P=quote)\s+(?P<op>not\s+in|in)\s+"""
    r"(?P<set>extras|dependency_groups)\b"
)
# Markers that are true, and false, on all platforms of images.
_ALWAYS, _NEVER = 'os_name == "posix"', 'os_name != "posix"'


def read_pylock(document: dict[str, Any], place: LockPlace) -> PythonLock:
    """The lock in the TOML table of a `pylock.toml`.

    What its distributions require is read from their wheels: PEP 751 does not let installers rely
    on the lock for that. Services choose by their requirements, so all extras and dependency groups
    in the lock count as selected.

    Raises Failure that names the file, the entry and the field for anything else, and for a version
    of the format that is not known.
    """
    top = Entry(document, "it")
    refresh = _refresh(document, place)
    try:
        version = top.text("lock-version", "the version of the format")
        if version.partition(".")[0] != VERSION:
            raise Failure(
                f"its `lock-version` is {version[:20]!r}, and only version {VERSION} of the format"
                " is known"
            )
        offered = {
            "extras": frozenset(top.strings("extras", "a list of extras", is_name)),
            "dependency_groups": frozenset(
                (
                    *top.strings("dependency-groups", "a list of groups", is_text),
                    *top.strings("default-groups", "a list of groups", is_text),
                )
            ),
        }
        environments = top.strings("environments", "a list of markers", is_marker)
        python = top.get("requires-python", optional(is_specifiers), "versions of Python")
        packages = tuple(
            _package(entry, place, offered)
            for entry in top.tables("packages", "a list of packages")
        )
    except Failure as error:
        raise place.failure("pylock.toml", str(error), refresh) from None
    return PythonLock(
        place.name, (Part(packages, environments),), refresh, (python,) if python else ()
    )


def _refresh(document: dict[str, Any], place: LockPlace) -> str:
    command = {
        "uv": f"uv export --format=pylock.toml --output-file={place.path}",
        "pip": f"pip lock --output={place.path}",
        "pdm": f"pdm export --format=pylock --output={place.path}",
    }.get(str(document.get("created-by")))
    return f"Run: {command}" if command else "Generate it again with the tool that made it."


def _package(entry: Entry, place: LockPlace, offered: dict[str, frozenset[str]]) -> Distribution:
    name = entry.get("name", is_name, "a name of a distribution")
    entry = Entry(entry.value, f"package {name}")
    version = entry.get("version", optional(is_version), "a version of PEP 440") or ""
    entry = Entry(entry.value, f"package {name} {version}".rstrip())
    marker = entry.get(
        "marker",
        optional(lambda text: isinstance(text, str) and is_marker(_settled(text, offered))),
        "a marker of PEP 508",
    )
    python = entry.get("requires-python", optional(is_specifiers), "versions of Python") or ""
    artifacts = tuple(_artifacts(entry, name, version, place))
    if not artifacts:
        raise Failure(f"{entry.where} has no usable `wheels`, `sdist`, `archive`, `vcs` or"
                        " `directory`")  # fmt: skip
    return Distribution(
        name, version, artifacts, None, python, (_settled(marker, offered),) if marker else ()
    )


def _settled(marker: str, offered: dict[str, frozenset[str]]) -> str:
    """The marker with clauses about extras and groups replaced with their values, because
    `packaging` before 25 does not understand them.
    """

    def settle(match: re.Match[str]) -> str:
        is_offered = match["name"] in offered[match["set"]]
        return _ALWAYS if is_offered == (match["op"] == "in") else _NEVER

    return _MEMBERSHIP.sub(settle, marker)


def _artifacts(entry: Entry, name: str, version: str, place: LockPlace) -> Iterator[Artifact]:
    registry = entry.get("index", optional(is_url), "a URL") or ""
    for file in entry.tables("wheels", "a list of files"):
        yield _file(file, name, version, registry, place)
    for field in ("sdist", "archive"):
        if entry.has(field):
            file = entry.table(field)
            yield _file(file, name, version, registry if field == "sdist" else "", place)
    if entry.has("vcs"):
        yield Artifact(_checkout(entry.table("vcs"), place))
    if entry.has("directory"):
        folder = entry.table("directory")
        path = folder.text("path", "a path")
        below = folder.optional_text("subdirectory", "a path")
        url = place.local(f"{path}/{below}" if below else path, folder.where)
        yield Artifact(url, directory=True)


def _file(file: Entry, name: str, version: str, registry: str, place: LockPlace) -> Artifact:
    if file.has("url"):
        url = file.get("url", is_url, "a URL")
    else:
        url = place.local(file.text("path", "a path, where there is no `url`"), file.where)
    called = artifact_name(url, file.where)
    given = file.optional_text("name", "a name of a file")
    if given and given != called:
        raise Failure(
            f"{file.where} has no usable `name`, the last part of its `url`: it is {shown(given)}"
        )
    if file.has("url") and registry:
        url = place.indexed(registry, url, name, file.where)
    below = file.optional_text("subdirectory", "a path")
    if below:
        url += f"#subdirectory={quote(below)}"
    check_artifact(url, name, version, file.where)
    hashes = file.table("hashes").value
    algorithm = "sha256" if "sha256" in hashes else next(iter(hashes), "sha256")
    value = Entry(hashes, file.where).get(algorithm, is_hash(algorithm), hash_form(algorithm))
    return Artifact(url, algorithm, value)


def _checkout(vcs: Entry, place: LockPlace) -> str:
    """The URL of a checkout, in the form of `checkout_url`."""
    system = vcs.get("type", is_name, "the name of a version control system")
    commit = vcs.get("commit-id", matches(COMMIT), "the ID of a commit")
    below = vcs.optional_text("subdirectory", "a path")
    if vcs.has("url"):
        repository = vcs.get("url", is_url, "a URL")
    else:
        repository = place.local(vcs.text("path", "a path, where there is no `url`"), vcs.where)
    url = checkout_url(system, repository, commit, below)
    check_artifact(url, "", "", vcs.where)
    return url
