"""Takes values out of the document of a lock, each only if it has the right type and form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from inseam.formats.failure import Failure
from inseam.formats.names import FileName, file_name

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")  # PEP 508, "Names"
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # the whole ID of one, SHA-1 or SHA-256
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-fA-F]+")

Check = Callable[[Any], bool]


class Malformed(Exception):
    """What is wrong with a lock, as `ENTRY has no usable FIELD`."""


@dataclass(frozen=True)
class Entry:
    """A table of a document, and what messages call it."""

    value: dict[str, Any]
    where: str

    @staticmethod
    def of(value: Any, where: str) -> Entry:
        """The value as a table; raises Malformed for another type."""
        if not isinstance(value, dict):
            raise Malformed(f"{where} is not an object")
        return Entry(value, where)

    def __contains__(self, field: str) -> bool:
        return field in self.value

    def get(self, field: str, usable: Check, form: str) -> Any:
        """The value of a field; raises Malformed unless it is usable, which has `form`.

        A field that is missing is None.
        """
        value = self.value.get(field)
        if not usable(value):
            shown = repr(self.value[field])[:80] if field in self.value else "missing"
            raise Malformed(f"{self.where} has no usable `{field}`, {form}: it is {shown}")
        return value

    def text(self, field: str, form: str = "a text") -> str:
        """A field that must be there."""
        value: str = self.get(field, is_text, form)
        return value

    def optional_text(self, field: str, form: str = "a text") -> str:
        """A field that may be missing: then "" is returned."""
        return self.get(field, optional(is_text), form) or ""

    def tables(self, field: str, form: str = "a list of tables") -> Iterator[Entry]:
        """The tables in a list that may be missing."""
        value = self.get(field, optional(is_list), form) or []
        for number, item in enumerate(value, 1):
            yield Entry.of(item, f"`{field}` {number} of {self.where}")

    def strings(self, field: str, form: str, usable: Check | None = None) -> tuple[str, ...]:
        """A list of texts that may be missing."""
        found = self.get(field, optional(list_of(usable or is_text)), form)
        return tuple(found or ())


def optional(usable: Check) -> Check:
    """The check that accepts a missing value, too."""
    return lambda value: value is None or usable(value)


def list_of(usable: Check) -> Check:
    """The check of a list by that of its items."""
    return lambda value: isinstance(value, list) and all(map(usable, value))


def matches(pattern: re.Pattern[str]) -> Check:
    """The check of a text by a pattern."""
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def is_list(value: Any) -> bool:
    """Whether it is a list of anything."""
    return isinstance(value, list)


def is_text(value: Any) -> bool:
    """Whether it is a text without control characters."""
    return isinstance(value, str) and value.isprintable()


def is_name(value: Any) -> bool:
    """Whether it is a name of a distribution."""
    return matches(NAME)(value)


def is_marker(value: Any) -> bool:
    """Whether it is a marker of PEP 508."""
    return _parses(Marker, value, InvalidMarker)


def is_version(value: Any) -> bool:
    """Whether it is a version of PEP 440."""
    return _parses(Version, value, InvalidVersion)


def is_specifiers(value: Any) -> bool:
    """Whether it is a set of version specifiers of PEP 440."""
    return _parses(SpecifierSet, value, InvalidSpecifier)


def is_url(value: Any) -> bool:
    """Whether it is a URL with a scheme."""
    if not is_text(value) or " " in value:
        return False
    try:
        return bool(urlsplit(value).scheme)
    except ValueError:
        return False


def is_hash(algorithm: str) -> Check:
    """The check of a hash of that algorithm."""
    return matches(_SHA256 if algorithm == "sha256" else _HEX)


def hash_form(algorithm: str) -> str:
    """What a hash of that algorithm is in messages."""
    if algorithm == "sha256":
        return "a sha256 of 64 hexadecimal digits"
    return "a hash in hexadecimal digits"


def artifact_name(url: str, what: str) -> FileName:
    """The name of the file that a URL of a lock leads to; raises Failure, naming `what`, for one
    that is not the name of a file in a folder."""
    try:
        path = urlsplit(url).path
    except ValueError as error:
        raise Failure(f"the URL of {what} cannot be read: {error}") from None
    return file_name(unquote(path.rsplit("/", 1)[-1]), f"the file name of {what}")


def checkout_url(system: str, repository: str, commit: str, subdirectory: str) -> str:
    """The URL of a checkout as PEX locks have it: `git+REPOSITORY@COMMIT#subdirectory=DIR`."""
    below = f"#subdirectory={subdirectory}" if subdirectory else ""
    return f"{system}+{repository}@{commit}{below}"


def check_wheel(url: str, name: str, version: str, where: str) -> None:
    """Raises Malformed if a URL leads to a wheel of another distribution, or one whose name leads
    out of its folder. version: "" for any."""
    if not unquote(urlsplit(url).path).endswith(".whl"):
        return
    try:
        filename = artifact_name(url, where)
    except Failure as error:
        raise Malformed(str(error)) from None
    try:
        found, release, _, _ = parse_wheel_filename(filename)
    except ValueError:
        return  # Nobody installs it.
    if found != canonicalize_name(name) or (version and release != Version(version)):
        raise Malformed(f"{where} is {filename!r}, a wheel of {found} {release}")


def _parses(read: Callable[[str], object], value: Any, error: type[ValueError]) -> bool:
    if not isinstance(value, str):
        return False
    try:
        read(value)
    except (error, RecursionError):
        return False
    return True
