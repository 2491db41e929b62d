"""Reads requirements files with a hash for every file, as pip-compile and uv write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.python.repository import COMMIT
from inseam.formats.schema import shown
from inseam.plan.lock_place import LockPlace
from inseam.plan.lock_values import (
    LONGEST_TEXT,
    artifact_name,
    check_artifact,
    hash_form,
    is_hash,
    is_marker,
    is_url,
    is_version,
)
from inseam.plan.python_lock import INDEX, Artifact, Distribution, Part, PythonLock
from inseam.plan.wheel_names import parse_wheel_name

_COMMENT = re.compile(r"(^|\s)#.*$")
_MADE_BY = re.compile(r"the following command:\s*(?:#[ \t]*\n)*#[ \t]+(\S[^\n]*)")
_PIN = re.compile(r"={2,3}\s*(?P<version>[^\s,*;]+)")
_SDIST = re.compile(r"(?P<name>.+)-(?P<version>\d[^-]*)\.(?:tar\.gz|zip|tar\.bz2|tar\.xz|tgz)")
# Ignored: indexes are configured for all locks, and the platform alone decides which file is used.
_WITHOUT_EFFECT = frozenset(
    "-i --index-url --extra-index-url -f --find-links --no-index --trusted-host --pre"
    " --prefer-binary --only-binary --require-hashes --use-feature".split()
)


def parse_requirements_lock(text: bytes, place: LockPlace) -> PythonLock:
    """The lock in a requirements file.

    It contains neither the requirements of its distributions nor the names of the files whose
    hashes it has. A project in a directory has the name "".

    Raises Failure that names the file, the line and what is wrong with it.
    """
    refresh = _refresh("", place)
    try:
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            raise Failure(f"it is not UTF-8 ({error})") from None
        refresh = _refresh(decoded, place)
        found = tuple(
            item for number, line in _lines(decoded) for item in _entry(line, number, place)
        )
        if not found:
            raise Failure("it has no distributions")
    except Failure as error:
        raise place.failure("requirements file with hashes", str(error), refresh) from None
    return PythonLock(place.name, (Part(found),), refresh)


def _refresh(text: str, place: LockPlace) -> str:
    """What to do when it is out of date: the command in its own comment, if it has one."""
    made = _MADE_BY.search(text)
    if made and made[1].isprintable():
        return f"Run: {made[1].strip()}"
    return (
        "Run: uv pip compile --universal --generate-hashes"
        f" --output-file={place.path} REQUIREMENTS, or for a PEX lock: {place.generate}"
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without comments; continued lines are joined. White space becomes
    a single space.
    """
    pending: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start or number
        bare = _COMMENT.sub("", line).rstrip()
        pending += bare.rstrip("\\").split()
        if bare.endswith("\\"):
            continue
        if pending:
            yield start, " ".join(pending)
        pending, start = [], 0
    if pending:
        yield start, " ".join(pending)


def _entry(line: str, number: int, place: LockPlace) -> Iterator[Distribution]:
    if not line.isprintable():
        raise Failure(f"line {number} has characters that cannot be printed")
    what, *options = re.split(r" (?=--\S)", line)
    if len(what) > LONGEST_TEXT:
        raise Failure(f"line {number} has a requirement of more than {LONGEST_TEXT} characters")
    where = f"line {number} ({foreign_word(what, width=60)})"
    if what.startswith("-"):
        first, _, rest = what.replace("=", " ", 1).partition(" ")
        if first in ("-e", "--editable"):
            yield _path(rest.strip(), where, [], place)
            return
        if first not in _WITHOUT_EFFECT:
            raise Failure(f"line {number} has the option {shown(first)}, which is not supported")
        return
    hashes = [_hash(option, where) for option in options]
    if re.match(r"(\.{0,2}/|\.{1,2}(\s|$)|file:)", what) or "/" in what.partition("@")[0]:
        yield _path(what, where, hashes, place)
        return
    try:
        requirement = Requirement(what)
    except (ValueError, RecursionError):
        raise Failure(f"{where} is not a requirement (PEP 508)") from None
    markers = (str(requirement.marker),) if requirement.marker else ()
    name = requirement.name
    if requirement.url:
        version, artifacts = _at_url(requirement.url, name, where, hashes)
    else:
        pinned = _PIN.fullmatch(str(requirement.specifier))
        if pinned is None or not is_version(pinned["version"]):
            raise Failure(f"{where} has no usable version, `==VERSION`")
        version = pinned["version"]
        artifacts = tuple(
            Artifact(f"{INDEX}:{canonicalize_name(name)}", *pair) for pair in _needed(hashes, where)
        )
    yield Distribution(name, version, artifacts, None, "", markers)


def _hash(option: str, where: str) -> tuple[str, str]:
    match = re.fullmatch(r"--hash(?:=|\s+)([a-z0-9_]+):(\S*)", option)
    if match is None:
        raise Failure(f"{where} has the option {shown(option)}, which is not supported")
    algorithm, value = match.groups()
    if not is_hash(algorithm)(value):
        raise Failure(
            f"{where} has no usable `--hash`, {hash_form(algorithm)}: it is {shown(value)}"
        )
    return algorithm, value


def _needed(hashes: list[tuple[str, str]], where: str) -> list[tuple[str, str]]:
    if not hashes:
        raise Failure(f"{where} has no `--hash=sha256:...`, without which it is not locked")
    return hashes


def _at_url(
    url: str, name: str, where: str, hashes: list[tuple[str, str]]
) -> tuple[str, tuple[Artifact, ...]]:
    """The version and the artifact at a URL; the version is "" if it is unknown."""
    if not is_url(url):
        raise Failure(f"{where} has no usable URL")
    check_artifact(url, name, "", where)
    parts = urlsplit(url)
    if "+" in parts.scheme:
        if not COMMIT.fullmatch(parts.path.rpartition("@")[2]):
            raise Failure(f"{where} has no usable URL with the ID of a commit (@COMMIT)")
        return "", (Artifact(url),)
    (algorithm, value), *others = _needed(hashes, where)
    if others:
        raise Failure(f"{where} has several hashes of one file")
    return _named(url, where)[1], (Artifact(url, algorithm, value),)


def _named(url: str, where: str) -> tuple[str, str]:
    """Distribution and version according to a file's name; ("", "") if the name does not say."""
    file = artifact_name(url, where)
    if file.endswith(".whl"):
        try:
            wheel = parse_wheel_name(file)
        except ValueError:
            raise Failure(f"{where} is a file that is not named like a wheel") from None
        return wheel.name, str(wheel.version)
    match = _SDIST.fullmatch(file)
    if match and is_version(match["version"]):
        return match["name"], match["version"]
    return "", ""


def _path(text: str, where: str, hashes: list[tuple[str, str]], place: LockPlace) -> Distribution:
    """The distribution at a path, or a `file:` URL, relative to the folder of the lock."""
    path, _, marker = (part.strip() for part in text.partition(" ;"))
    if marker and not is_marker(marker):
        raise Failure(f"{where} has no usable marker: it is {shown(marker)}")
    markers = (marker,) if marker else ()
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    if not path:
        raise Failure(f"{where} has no usable path")
    url = place.local(path, where)
    if not path.endswith(".whl") and not _SDIST.fullmatch(path.rpartition("/")[2]):
        return Distribution("", "", (Artifact(url, directory=True),), None, "", markers)
    name, version = _named(url, where)
    if not name:
        raise Failure(f"{where} is a file whose name does not start with that of a distribution")
    (algorithm, value), *_ = hashes or [("", "")]
    return Distribution(name, version, (Artifact(url, algorithm, value),), None, "", markers)
