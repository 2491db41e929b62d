"""Reads PEX locks."""

from __future__ import annotations

from typing import Any

from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.formats.files import load_json
from inseam.formats.schema import Entry, is_list, is_string, is_text, list_of, optional
from inseam.plan.lock_values import (
    check_artifact,
    hash_form,
    is_hash,
    is_marker,
    is_name,
    is_url,
    is_version,
)
from inseam.plan.python_lock import Artifact, Distribution, Part, PythonLock


def parse_pex_lock(text: bytes, path: str, resolve: str) -> PythonLock:
    """The lock in a PEX lock file, which may have the comment lines that Pants writes at the top.

    Raises Failure that names the file, the entry and the field for anything else.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(b"//")]
    try:
        document = load_json(b"\n".join(lines))
    except ValueError as error:
        raise _failure(path, resolve, f"it is not JSON ({error})") from error
    return read_pex_lock(document, path, resolve)


def read_pex_lock(lock: Any, path: str, resolve: str) -> PythonLock:
    """The lock in the JSON value of such a file; raises Failure as `parse_pex_lock` does."""
    try:
        if not isinstance(lock, dict) or not lock.get("locked_resolves"):
            raise Failure("`locked_resolves` is not a list of resolves")
        top = Entry(lock, "it")
        resolves = lock["locked_resolves"]
        if not isinstance(resolves, list):
            raise Failure("`locked_resolves` is not a list of resolves")
        parts = tuple(_part(part, f"resolve {number}") for number, part in enumerate(resolves, 1))
        python = top.strings("requires_python", "a list of interpreter constraints")
    except Failure as error:
        raise _failure(path, resolve, str(error)) from None
    return PythonLock(
        f"the lock of resolve {resolve!r}",
        parts,
        f"Run: ./pants generate-lockfiles --resolve={resolve}",
        python,
    )


def _failure(path: str, resolve: str, problem: str) -> Failure:
    return Failure(
        f"{path} is not a PEX lock file: {problem}. Generate it again: ./pants"
        f" generate-lockfiles --resolve={resolve}"
    )


def _part(value: Any, where: str) -> Part:
    if not isinstance(value, dict) or not is_list(value.get("locked_requirements")):
        raise Failure(f"{where} has no usable `locked_requirements`, a list of distributions")
    entry = Entry(value, where)
    marker = entry.get("marker", optional(is_marker), "a marker of PEP 508 or null")
    names: set[str] = set()
    return Part(
        tuple(
            _distribution(Entry.of(item, f"distribution {number}"), names)
            for number, item in enumerate(value["locked_requirements"], 1)
        ),
        (marker,) if marker else (),
    )


def _distribution(entry: Entry, names: set[str]) -> Distribution:
    project = entry.get("project_name", is_name, "a name of a distribution")
    name = canonicalize_name(project)
    if name in names:
        raise Failure(f"it has {name} twice")
    names.add(name)
    version = Entry(entry.value, name).get("version", is_version, "a version of PEP 440")
    entry = Entry(entry.value, f"{name} {version}")
    python = entry.get("requires_python", optional(is_text), "versions of Python or null")
    requires = entry.get("requires_dists", list_of(is_string), "a list of requirements")
    artifacts = entry.value.get("artifacts")
    if not isinstance(artifacts, list) or not artifacts:
        raise Failure(f"{entry.where} has no usable `artifacts`, a list of files")
    return Distribution(
        project,
        version,
        tuple(
            _artifact(Entry.of(item, f"file {number} of {entry.where}"), name, version)
            for number, item in enumerate(artifacts, 1)
        ),
        tuple(requires),
        python or "",
    )


def _artifact(entry: Entry, name: str, version: str) -> Artifact:
    url = entry.get("url", is_url, "a URL")
    algorithm = entry.get("algorithm", is_text, "the name of a hash")
    value = entry.get("hash", is_hash(algorithm), hash_form(algorithm))
    check_artifact(url, name, version, entry.where)
    return Artifact(url, algorithm, value, entry.has("editable"))
