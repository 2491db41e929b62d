"""Reads values from untrusted documents, and checks the type and form of each."""

from __future__ import annotations

import re
import reprlib
from typing import Any, Callable, Iterator, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word

Check = Callable[[Any], bool]

_SHOWN = 80  # maximum number of characters of a value in a message
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Entry(NamedTuple):
    """A table (an object) in a document."""

    value: dict[str, Any]
    where: str
    """Its name in messages."""

    @staticmethod
    def of(value: Any, where: str) -> Entry:
        """The value as a table; raises Failure for another type."""
        if not isinstance(value, dict):
            raise Failure(f"{where} is not an object: it is {shown(value)}")
        return Entry(value, where)

    def has(self, field: str) -> bool:
        """Whether there is such a field."""
        return field in self.value

    def get(self, field: str, usable: Check, form: str) -> Any:
        """The value of a field; raises Failure, which names `form`, unless `usable` accepts it.

        A missing field is None.
        """
        value = self.value.get(field)
        if not usable(value):
            found = shown(value) if field in self.value else "missing"
            raise Failure(f"{self.where} has no usable `{field}`, {form}: it is {found}")
        return value

    def text(self, field: str, form: str = "a text") -> str:
        """A required text field."""
        value: str = self.get(field, is_text, form)
        return value

    def optional_text(self, field: str, form: str = "a text") -> str:
        """An optional text field; "" if it is missing."""
        return self.get(field, optional(is_text), form) or ""

    def table(self, field: str) -> Entry:
        """A required table."""
        return Entry.of(self.value.get(field), f"`{field}` of {self.where}")

    def tables(self, field: str, form: str = "a list of tables") -> Iterator[Entry]:
        """The tables in an optional list."""
        value = self.get(field, optional(is_list), form) or []
        for number, item in enumerate(value, 1):
            yield Entry.of(item, f"`{field}` {number} of {self.where}")

    def strings(self, field: str, form: str, usable: Check | None = None) -> tuple[str, ...]:
        """An optional list of texts."""
        found = self.get(field, optional(list_of(usable or is_text)), form)
        return tuple(found or ())


def shown(value: Any) -> str:
    """A value in a message: short, on one line, without credentials."""
    if isinstance(value, str):
        return foreign_word(value, width=_SHOWN)
    return foreign_word(reprlib.repr(value), width=_SHOWN)[1:-1]


def optional(usable: Check) -> Check:
    """A check that also accepts a missing value."""
    return lambda value: value is None or usable(value)


def list_of(usable: Check) -> Check:
    """A check for a list, from the check for its items."""
    return lambda value: isinstance(value, list) and all(map(usable, value))


def map_of(usable: Check) -> Check:
    """A check for an object, from the checks for its keys and values."""
    return lambda value: isinstance(value, dict) and all(
        usable(key) and usable(item) for key, item in value.items()
    )


def matches(pattern: re.Pattern[str]) -> Check:
    """A check for a text that matches a pattern."""
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def number_between(least: int, most: int) -> Check:
    """A check for a whole number, including both ends."""
    return (
        lambda value: isinstance(value, int)
        and not isinstance(value, bool)
        and least <= value <= most
    )


def is_list(value: Any) -> bool:
    """Whether it is a list of anything."""
    return isinstance(value, list)


def is_object(value: Any) -> bool:
    """Whether it is an object with any content."""
    return isinstance(value, dict)


def is_string(value: Any) -> bool:
    """Whether it is text that can be encoded; JSON may also contain lone surrogates."""
    return isinstance(value, str) and (
        value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value)
    )


def is_text(value: Any) -> bool:
    """Whether it is a text without control characters."""
    return isinstance(value, str) and value.isprintable()


def is_digest(value: Any) -> bool:
    """Whether it is a sha256 digest (OCI image-spec, descriptor.md)."""
    return matches(_DIGEST)(value)
