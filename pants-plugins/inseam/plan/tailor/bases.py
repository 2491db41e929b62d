"""Chooses the base of a service by the interpreter constraints of its code."""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Optional

from packaging.requirements import InvalidRequirement, Requirement

# The lists of Debian packages that come with Inseam, by the CPython in them.
SHIPPED = {"3.11": "bookworm", "3.13": "trixie", "3.14": "forky"}
_VERSIONS = tuple(f"3.{minor}" for minor in range(7, 20))
_MOST_PATCHES = 40


class Choice(NamedTuple):
    """The chosen base for a service."""

    address: Optional[str] = None
    """Address of the base; None for the default base."""
    shipped: Optional[str] = None
    """The list of packages for a new base, to be declared at this address."""
    missing: str = ""
    """The version of CPython that is needed but that no base has."""


def allowed(constraints: Iterable[str]) -> list[str]:
    """The CPython versions, such as "3.11", that interpreter constraints allow, oldest first."""
    requirements = []
    for text in constraints:
        try:
            requirements.append(Requirement(text if text[:1].isalpha() else f"CPython{text}"))
        except InvalidRequirement:
            return []
    return [
        version
        for version in _VERSIONS
        if any(
            requirement.specifier.contains(f"{version}.{patch}")
            for requirement in requirements
            for patch in range(_MOST_PATCHES)
        )
    ]


def choose_base(
    constraints: Iterable[str], default: str | None, bases: Mapping[str, str]
) -> Choice:
    """The base for code with these interpreter constraints.

    default: the CPython version of the default base; None if it is unknown. bases: the versions of
    the bases in the repository, by address.
    """
    versions = allowed(constraints)
    if not versions or default is None or default in versions:
        return Choice()
    for version in versions:
        for address in sorted(bases):
            if bases[address] == version:
                return Choice(address)
    for version in versions:
        if version in SHIPPED:
            return Choice(f"//:{SHIPPED[version]}", SHIPPED[version])
    return Choice(missing=versions[0])
