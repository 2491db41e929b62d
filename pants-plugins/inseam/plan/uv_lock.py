"""Reads `uv.lock`, which uv makes for a project, and Pants for a resolve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.formats.python.repository import COMMIT
from inseam.formats.schema import Entry, is_text, list_of, optional, shown
from inseam.plan.lock_place import LockPlace
from inseam.plan.lock_values import (
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

# uv makes compatible additions as revisions of the same version.
VERSION = 1
# The name of the project that Pants generates for a resolve.
_OF_PANTS = "pants-lockfile-for-"


def read_uv_lock(document: dict[str, Any], place: LockPlace) -> PythonLock:
    """The lock in the TOML table of a `uv.lock`.

    Raises Failure that names the file, the entry and the field for anything else, and for a version
    of the format that is not known.
    """
    top = Entry(document, "it")
    refresh = _refresh(document, place)
    try:
        version = document.get("version")
        if version != VERSION or isinstance(version, bool):
            raise Failure(
                f"its `version` is {str(version)[:20]}, and only version {VERSION} of the format"
                " is known"
            )
        if top.get("conflicts", optional(list_of(lambda _: True)), "a list of conflicts"):
            raise Failure(
                "it has `conflicts`, extras or groups that exclude each other, which are not"
                " supported: make a separate lock for each"
            )
        python = top.get("requires-python", optional(is_specifiers), "versions of Python")
        environments = top.strings("supported-markers", "a list of markers", is_marker)
        # Locks that Pants generates are made in the root of the repository.
        root = "" if _is_of_pants(document) else place.folder
        packages = tuple(
            _package(entry, place, root) for entry in top.tables("package", "a list of packages")
        )
    except Failure as error:
        raise place.failure("uv.lock", str(error), refresh) from None
    return PythonLock(
        place.name, (Part(packages, environments),), refresh, (python,) if python else ()
    )


def _is_of_pants(document: dict[str, Any]) -> bool:
    packages = document.get("package")
    return isinstance(packages, list) and any(
        isinstance(package, dict) and str(package.get("name")).startswith(_OF_PANTS)
        for package in packages
    )


def _refresh(document: dict[str, Any], place: LockPlace) -> str:
    if _is_of_pants(document):
        return f"Run: {place.generate}"
    return f"Run: uv lock --directory={place.folder}" if place.folder else "Run: uv lock"


def _package(entry: Entry, place: LockPlace, root: str) -> Distribution:
    name = entry.get("name", is_name, "a name of a distribution")
    entry = Entry(entry.value, f"package {name}")
    # A project whose version is computed has none.
    version = entry.get("version", optional(is_version), "a version of PEP 440") or ""
    entry = Entry(entry.value, f"package {name} {version}".rstrip())
    markers = entry.strings("resolution-markers", "a list of markers", is_marker)
    requires = [*_requirements(entry, "dependencies", "")]
    extras = Entry.of(
        entry.value.get("optional-dependencies", {}), f"`optional-dependencies` of {entry.where}"
    )
    for extra in extras.value:
        if not is_name(extra):
            raise Failure(f"{extras.where} has the unusable name {shown(extra)}")
        requires += _requirements(extras, extra, extra)
    return Distribution(
        name, version, tuple(_artifacts(entry, name, version, place, root)), tuple(requires), "",
        markers,
    )  # fmt: skip


def _requirements(entry: Entry, field: str, extra: str) -> Iterator[str]:
    """The dependencies in a list, as requirement strings. extra: the extra that needs them."""
    for item in entry.tables(field):
        name = item.get("name", is_name, "a name of a distribution")
        version = item.get("version", optional(is_version), "a version of PEP 440")
        marker = item.get("marker", optional(is_marker), "a marker of PEP 508")
        extras = item.strings("extra", "a list of extras", is_name)
        conditions = [f"({marker})"] if marker and extra else [marker] if marker else []
        conditions += [f"extra == '{canonicalize_name(extra)}'"] if extra else []
        yield "".join(
            (
                name,
                f"[{','.join(extras)}]" if extras else "",
                f"=={version}" if version else "",
                f" ; {' and '.join(conditions)}" if conditions else "",
            )
        )


def _artifacts(
    entry: Entry, name: str, version: str, place: LockPlace, root: str
) -> Iterator[Artifact]:
    source = entry.table("source")
    kinds = [kind for kind in _SOURCES if source.has(kind)]
    if len(kinds) != 1:
        raise Failure(
            f"{source.where} is of an unknown kind ({', '.join(_SOURCES)}):"
            f" it has {shown(', '.join(source.value)) if source.value else 'nothing'}"
        )
    kind = kinds[0]
    value = source.text(kind, "a path or URL")
    if kind == "virtual":
        return
    if kind in ("directory", "editable"):
        yield Artifact(place.local(value, source.where, root), directory=True)
    elif kind == "git":
        yield Artifact(_git_url(source, value))
    else:
        for file in entry.tables("wheels", "a list of files"):
            url = _url(file, kind, value, name, place, root)
            check_artifact(url, name, version, file.where)
            yield _file(file, url)
        if entry.value.get("sdist") is not None:
            file = entry.table("sdist")
            url = _url(file, kind, value, name, place, root)
            check_artifact(url, name, version, file.where)
            yield _file(file, url)


_SOURCES = ("registry", "url", "path", "directory", "editable", "virtual", "git")


def _url(file: Entry, kind: str, source: str, name: str, place: LockPlace, root: str) -> str:
    """The URL of a file. kind, source: those of its package."""
    if kind == "path":
        return place.local(source, file.where, root)
    if kind == "url":
        if not is_url(source):
            raise Failure(f"the source of {file.where} has no usable `url`: {shown(source)}")
        return source
    if file.has("url"):
        url: str = file.get("url", is_url, "a URL")
        return place.indexed(source, url, name, file.where)
    path = file.text("path", "a path, where there is no `url`")
    if is_url(source):
        return place.indexed(source, f"{source.rstrip('/')}/{path}", name, file.where)
    return place.local(f"{source}/{path}", file.where, root)


def _file(file: Entry, url: str) -> Artifact:
    """A file with its hash, which is optional for files in the repository."""
    text = file.get("hash", optional(is_text), "a hash")
    if text is None and url.startswith("file:"):
        return Artifact(url)
    algorithm, _, value = (text or "").partition(":")
    if not is_hash(algorithm)(value):
        found = "missing" if text is None else shown(text)
        raise Failure(f"{file.where} has no usable `hash`, {hash_form(algorithm)}: it is {found}")
    return Artifact(url, algorithm, value)


def _git_url(source: Entry, text: str) -> str:
    """The URL of a checkout, in the form of `checkout_url`."""
    if not is_url(text):
        raise Failure(f"{source.where} has no usable `git`, a URL: it is {shown(text)}")
    parts = urlsplit(text)
    if not COMMIT.fullmatch(parts.fragment):
        raise Failure(f"{source.where} has no usable `git`, a URL with a commit: {shown(text)}")
    subdirectory = parse_qs(parts.query).get("subdirectory", [""])[0]
    repository = urlunsplit(parts._replace(query="", fragment=""))
    url = checkout_url("git", repository, parts.fragment, subdirectory)
    check_artifact(url, "", "", source.where)
    return url
