"""Orders the version numbers of Debian packages (Debian policy section 5.6.12)."""

from __future__ import annotations

import functools
import re
from typing import Mapping, Tuple

from inseam.formats.debian.control import DebianError
from inseam.formats.foreign_text import foreign_word

LONGEST = 200  # longest version in characters; it is part of a file name

_PART = re.compile(r"([^0-9]*)([0-9]*)")
# [epoch:]upstream[-revision]; a colon may be in the upstream version only after an epoch.
_VERSION = re.compile(
    r"(?:(?P<epoch>[0-9]+):)?"
    r"(?P<upstream>(?!-)(?(epoch)[A-Za-z0-9.+~:-]|[A-Za-z0-9.+~-])+?)"
    r"(?:-(?P<revision>[A-Za-z0-9.+~]*))?\Z"
)

Text = Tuple[Tuple[Tuple[int, ...], int], ...]
Key = Tuple[int, Text, Text]

_END = ((0,), 0)


def _rank(character: str) -> int:
    """Sorts `~` before the end of the text (which is 0), then letters, then everything else."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _key(text: str) -> Text:
    """Alternating texts and numbers, so that tuples compare as policy requires.

    Each text ends with a 0, and the whole ends with an empty text and the number 0, because these
    continue the shorter of two versions. Only the first part can also be like that.
    """
    parts = [
        ((*map(_rank, letters), 0), int(digits or 0)) for letters, digits in _PART.findall(text)
    ]
    return (parts[0], *(part for part in parts[1:] if part != _END), _END)


@functools.cache
def sort_key(version: str) -> Key:
    """A key that orders versions, for example `max(versions, key=sort_key)`.

    Raises DebianError for text that is not a version.
    """
    match = _VERSION.match(version) if len(version) <= LONGEST else None
    if not match:
        raise DebianError(f"{foreign_word(version)} is not a Debian version number")
    epoch, upstream, revision = match.groups()
    return int(epoch or 0), _key(upstream), _key(revision or "")


# Relation -> whether it holds for a version that is smaller, equal, greater.
_RELATIONS: Mapping[str, tuple[bool, bool, bool]] = {
    "<<": (True, False, False),
    "<=": (True, True, False),
    "=": (False, True, False),
    ">=": (False, True, True),
    ">>": (False, False, True),
}


def compare(version: str, other: str) -> int:
    """-1, 0 or 1 if `version` is smaller than, equal to or greater than `other`."""
    one, two = sort_key(version), sort_key(other)
    return (one > two) - (one < two)


def satisfies(version: str, relation: str, wanted: str) -> bool:
    """Whether `version` `relation` `wanted` is true (<<, <=, =, >= or >>, policy 7.1)."""
    if relation not in _RELATIONS:
        raise DebianError(f"{foreign_word(relation)} is not a relation between Debian versions")
    return _RELATIONS[relation][compare(version, wanted) + 1]
