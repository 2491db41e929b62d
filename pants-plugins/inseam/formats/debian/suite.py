"""Knows which suites make up a release, and when each of them was made."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass

from inseam.formats.debian.archive import MAIN_ARCHIVE, SECURITY_ARCHIVE

# Releases without suites for fixes: a new version is the fix.
_SINGLE = ("experimental", "sid")
# Releases that have all three suites, so that a mirror that lacks one hides fixes. For other
# releases, the suites that mirrors have are used; those in an existing lock are then required.
_STABLE = ("bullseye", "bookworm", "trixie")


@dataclass(frozen=True)
class Suite:
    """A signed index that packages were locked from."""

    name: str
    """Such as `bookworm-security`."""
    archive: str
    """The archive that has it."""
    date: str
    """When it was made, in UTC, such as "2026-11-25T08:00:00Z"; sorts by time."""


@dataclass(frozen=True)
class WantedSuite:
    """A suite from which to lock packages."""

    name: str
    archive: str
    required: bool = True
    """Whether it is an error if no mirror has it."""


def suites_of(release: str) -> tuple[WantedSuite, ...]:
    """All suites of a release, including those with fixes."""
    main = WantedSuite(release, MAIN_ARCHIVE)
    if release in _SINGLE:
        return (main,)
    stable = release in _STABLE
    return (
        main,
        WantedSuite(f"{release}-updates", MAIN_ARCHIVE, stable),
        WantedSuite(f"{release}-security", SECURITY_ARCHIVE, stable),
    )


_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def is_date(text: str) -> bool:
    """Whether it is a time in the form of `Suite.date`."""
    try:
        return _DATE.fullmatch(text) is not None and bool(_taken(text))
    except (ValueError, OverflowError):
        return False


# A snapshot archive saves a state of the archive some time after its indexes were made, and answers
# for any time with the last state before it. The next state follows six hours later, and still has
# the packages of this one.
_TAKEN = datetime.timedelta(hours=6)


def snapshot_timestamp(suites: Iterable[Suite]) -> str:
    """A time, such as "20261125T080000Z", at which a snapshot archive has the packages that the
    suites list; "" without suites.
    """
    dates = [suite.date for suite in suites]
    if not dates:
        return ""
    return _taken(max(dates))


def _taken(date: str) -> str:
    return (datetime.datetime.strptime(date, _FORMAT) + _TAKEN).strftime("%Y%m%dT%H%M%SZ")
