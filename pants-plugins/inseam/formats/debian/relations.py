"""Reads relations between Debian packages (Debian policy chapter 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.version import satisfies
from inseam.formats.foreign_text import foreign_word

_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?"
    r"(?:\s*\(\s*(?P<relation><<|<=|=|>=|>>)\s*(?P<version>[^\s)]+)\s*\))?\Z"
)


@dataclass(frozen=True)
class Relation:
    """One alternative of a dependency: a package name, and the versions that satisfy it."""

    name: str
    relation: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.relation} {self.version})" if self.relation else self.name

    def allows(self, version: str) -> bool:
        return not self.relation or satisfies(version, self.relation, self.version)


def parse_relations(field: str) -> list[list[Relation]]:
    """The dependencies in a Depends field, each a list of alternatives."""
    return [
        [_relation(alternative) for alternative in dependency.split("|")]
        for dependency in field.replace("\n", " ").split(",")
        if dependency.strip()
    ]


def parse_provides(field: str) -> list[Relation]:
    """The names in a Provides field (policy 7.5); raises DebianError for alternatives."""
    found = parse_relations(field)
    if any(len(alternatives) != 1 for alternatives in found):
        raise DebianError(f"{foreign_word(field)} provides alternatives")
    return [relation for (relation,) in found]


def _relation(text: str) -> Relation:
    match = _RELATION.match(text.strip())
    if not match:
        raise DebianError(f"{foreign_word(text.strip())} is not a relation between Debian packages")
    return Relation(match["name"], match["relation"] or "", match["version"] or "")
