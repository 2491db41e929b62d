"""Says which suites make up a release, and when each of them was made."""

from __future__ import annotations

from dataclasses import dataclass

from inseam.formats.debian.archive import MAIN_ARCHIVE, SECURITY_ARCHIVE

# Without fixes of their own: a new version is the fix.
_SINGLE = ("experimental", "sid")
# All three suites exist, and a mirror that lacks one hides fixes. Of a release that is not listed,
# those are taken that its mirrors have; what a lock has once been made from is then expected.
_STABLE = ("bullseye", "bookworm", "trixie")


@dataclass(frozen=True)
class Suite:
    """A signed index that packages were locked from.

    name: `bookworm-security`. archive: where it is. date: when it was made, UTC, as
    "2026-11-25T08:00:00Z", which sorts.
    """

    name: str
    archive: str
    date: str


@dataclass(frozen=True)
class WantedSuite:
    """required: whether it is an error if no mirror has it."""

    name: str
    archive: str
    required: bool = True


def suites_of(release: str) -> tuple[WantedSuite, ...]:
    """Everything that makes up a release, with its fixes."""
    main = WantedSuite(release, MAIN_ARCHIVE)
    if release in _SINGLE:
        return (main,)
    stable = release in _STABLE
    return (
        main,
        WantedSuite(f"{release}-updates", MAIN_ARCHIVE, stable),
        WantedSuite(f"{release}-security", SECURITY_ARCHIVE, stable),
    )
