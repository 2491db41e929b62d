"""Says what to do about distributions that are locked only as sources."""

from __future__ import annotations

from typing import Iterable, Mapping

from inseam.plan.artifacts import LockedSource
from inseam.plan.platform import PythonPlatform


def chain(source: LockedSource, required_by: Mapping[str, tuple[str, ...]]) -> str:
    """The chain of requirements to a distribution, such as "the service -> app 1.0"."""
    return " -> ".join(required_by.get(source.name, ("a shared layer",)))


def describe_sources(
    sources: Iterable[LockedSource],
    required_by: Mapping[str, tuple[str, ...]],
    platform: PythonPlatform,
) -> str:
    """Lists all distributions without a wheel and what requires each, and says what to do."""
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
            "To have them built, remove wheels_from_source from [inseam].without. Or build the"
            " wheels yourself, put them into a folder of the repository, name the folder in"
            " [python-repos].find_links, and lock again.",
        ]
    )


def describe_failures(
    failures: Mapping[LockedSource, str], required_by: Mapping[str, tuple[str, ...]]
) -> str:
    """Says why each of the distributions could not be built, and what to do."""
    parts = [
        f"{source.name} {source.version} ({source.origin}), required by"
        f" {chain(source, required_by)}, could not be built:\n{_indented(why)}"
        for source, why in failures.items()
    ]
    parts.append(
        "Alternatively, use prebuilt wheels: put them into a folder of the repository, name the"
        " folder in [python-repos].find_links, and lock again."
    )
    return "\n".join(parts)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _count(number: int) -> str:
    return "1 distribution has" if number == 1 else f"{number} distributions have"
