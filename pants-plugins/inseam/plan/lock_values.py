"""Checks the values in locks of Python distributions: names, versions, markers, URLs, hashes."""

from __future__ import annotations

import re
from typing import Any, Callable
from urllib.parse import parse_qs, quote, unquote, urldefrag, urlsplit

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.names import FileName, file_name
from inseam.formats.python.repository import parse_revision, subdirectory
from inseam.formats.schema import Check, is_text, matches
from inseam.plan.wheel_names import parse_wheel_name

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")  # PEP 508, "Names"
# Longest name, version, marker or requirement in characters: parsing takes more than linear time.
LONGEST_NAME = 200
LONGEST_TEXT = 10_000
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-fA-F]+")


def is_name(value: Any) -> bool:
    """Whether it is a name of a distribution."""
    return isinstance(value, str) and len(value) <= LONGEST_NAME and matches(NAME)(value)


def is_marker(value: Any) -> bool:
    """Whether it is a marker of PEP 508."""
    return _parses(Marker, value, LONGEST_TEXT)


def is_version(value: Any) -> bool:
    """Whether it is a version of PEP 440."""
    return _parses(Version, value, LONGEST_NAME)


def is_specifiers(value: Any) -> bool:
    """Whether it is a set of version specifiers of PEP 440."""
    return _parses(SpecifierSet, value, LONGEST_TEXT)


def is_url(value: Any) -> bool:
    """Whether it is a URL with a scheme."""
    if not is_text(value) or " " in value:
        return False
    try:
        return bool(urlsplit(value).scheme)
    except ValueError:
        return False


def is_hash(algorithm: str) -> Check:
    """A function that checks a hash of that algorithm."""
    return matches(_SHA256 if algorithm == "sha256" else _HEX)


def hash_form(algorithm: str) -> str:
    """How messages describe a hash of that algorithm."""
    if algorithm == "sha256":
        return "a sha256 of 64 hexadecimal digits"
    return "a hash in hexadecimal digits"


def artifact_name(url: str, what: str) -> FileName:
    """The name of the file at a URL in a lock; raises Failure, naming `what`, if it cannot be the
    name of a file in a folder.
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        raise Failure(f"{what} has no usable URL: it is {foreign_word(url)}") from None
    return file_name(unquote(path.rsplit("/", 1)[-1]), f"the file name of {what}")


def checkout_url(system: str, repository: str, commit: str, below: str) -> str:
    """The URL of a checkout in the form of PEX locks: `git+REPOSITORY@COMMIT#subdirectory=DIR`."""
    fragment = f"#subdirectory={quote(below)}" if below else ""
    return f"{system}+{repository}@{commit}{fragment}"


def check_artifact(url: str, name: str, version: str, where: str) -> None:
    """Raises Failure for a URL that cannot be used: a repository that git must not open, a
    subdirectory outside the project, a wheel of another distribution. version: "" for any.
    """
    if url.startswith("git+"):
        parse_revision(url, where)
        return
    subdirectory(subdirectory_of(url), where)
    if not unquote(urlsplit(url).path).endswith(".whl"):
        return
    filename = artifact_name(url, where)
    try:
        found = parse_wheel_name(filename)
    except ValueError:
        return  # It is not installed.
    if found.name != canonicalize_name(name) or (version and found.version != Version(version)):
        raise Failure(f"{where} is {filename!r}, a wheel of {found.name} {found.version}")


def subdirectory_of(url: str) -> str:
    """The subdirectory in the fragment of a URL; "" if there is none."""
    return parse_qs(urldefrag(url)[1]).get("subdirectory", [""])[0]


def _parses(read: Callable[[str], object], value: Any, longest: int) -> bool:
    """Whether a text can be parsed; numbers with thousands of digits cannot."""
    if not isinstance(value, str) or len(value) > longest:
        return False
    try:
        read(value)
    except (ValueError, RecursionError):
        return False
    return True
