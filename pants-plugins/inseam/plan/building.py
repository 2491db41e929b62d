"""Says what to do about distributions of which a lock has only sources."""

from __future__ import annotations

from typing import Iterable, Mapping

from inseam.plan.artifacts import LockedSource
from inseam.plan.platform import PythonPlatform


def chain(source: LockedSource, required_by: Mapping[str, tuple[str, ...]]) -> str:
    """Who requires a distribution, as "the service -> app 1.0"."""
    return " -> ".join(required_by.get(source.name, ("a shared layer",)))


def describe_sources(
    sources: Iterable[LockedSource],
    required_by: Mapping[str, tuple[str, ...]],
    platform: PythonPlatform,
) -> str:
    """All distributions that have no wheel, who requires each, and what to do."""
    lines = [
        f"  {source.name} {source.version} ({source.origin}), required by"
        f" {chain(source, required_by)}"
        for source in sources
    ]
    return "\n".join(
        [
            f"{_count(len(lines))} no wheel for linux/{platform.architecture} with CPython"
            f" {platform.python_full_version} in the lock, only sources:",
            *lines,
            "Let them be built: take wheels_from_source out of [inseam].without. Or build wheels of"
            " them yourself, put these into a folder of the repository, name it in"
            " [python-repos].find_links, and lock again.",
        ]
    )


def describe_failures(
    failures: Mapping[LockedSource, str], required_by: Mapping[str, tuple[str, ...]]
) -> str:
    """Why each of some distributions could not be built, and what to do."""
    parts = [
        f"{source.name} {source.version} ({source.origin}), required by"
        f" {chain(source, required_by)}, could not be built:\n{_indented(why)}"
        for source, why in failures.items()
    ]
    parts.append(
        "Ready wheels are the other way: put them into a folder of the repository, name it in"
        " [python-repos].find_links, and lock again."
    )
    return "\n".join(parts)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _count(number: int) -> str:
    return "1 distribution has" if number == 1 else f"{number} distributions have"
