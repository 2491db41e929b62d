"""Reads InRelease files, which list and sign the indexes of a suite, and checks their age.

The chain of trust is that of apt-secure(8): the archive's keys sign InRelease, which has the
sha256 of each Packages file, which has the sha256 of each package.
"""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass, field
from typing import Callable, Mapping

from inseam.formats.debian.control import DebianError, single_paragraph
from inseam.formats.debian.signature import InvalidSignature, verify_inrelease
from inseam.formats.debian.suite import Suite, WantedSuite
from inseam.formats.foreign_text import foreign_word
from inseam.formats.numbers import whole_number

_LONGEST_DATE = 100  # longest date in characters

MAX_FUTURE = 10  # seconds that a clock may be behind, as in apt's Acquire::Max-FutureTime

Verifier = Callable[[bytes, str], str]


class Unusable(Exception):
    """A file on a mirror must not be used; another mirror may have a better one."""


@dataclass(frozen=True)
class Trust:
    """The conditions that an InRelease file must satisfy."""

    verify: Verifier | None = None
    """Function from the file and its description to the signed text."""
    now: float = field(default_factory=time.time)
    """Current time in seconds since the epoch."""
    allow_expired: bool = False
    """Whether the file's dates are ignored."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Dates of suites in an earlier lock, by suite; older files are refused."""


@dataclass(frozen=True)
class Release:
    """A suite's signed index of indexes."""

    suite: Suite
    hashes: Mapping[str, tuple[str, int]]
    """sha256 and size in bytes, by path below the suite's folder."""


def read_inrelease(signed: bytes, url: str, wanted: WantedSuite, trust: Trust) -> Release:
    """Reads the InRelease file that `url` served; raises Unusable."""
    try:
        fields = single_paragraph((trust.verify or verify_inrelease)(signed, url), url)
    except InvalidSignature as error:
        raise Unusable(str(error)) from None
    except DebianError as error:
        raise Unusable(f"{error} (it is signed, but malformed)") from None
    if fields.get("Codename") != wanted.name:
        raise Unusable(f"{url} is signed, but it is for {foreign_word(fields.get('Codename', ''))}")
    made = _seconds(fields.get("Date", ""), "Date", url)
    if not trust.allow_expired:
        _check_age(fields, made, url, trust.now)
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(made))
    if date < trust.known.get(wanted.name, ""):
        raise Unusable(
            f"{url} is signed, but it was made on {date}, and the lock already knows the suite as"
            f" of {trust.known[wanted.name]}: this mirror is behind"
        )
    return Release(Suite(wanted.name, wanted.archive, date), _hashes(fields.get("SHA256", ""), url))


def _check_age(fields: Mapping[str, str], made: int, url: str, now: float) -> None:
    if made > now + MAX_FUTURE:
        raise Unusable(
            f"{url} is signed, but its Date {foreign_word(fields['Date'])} is in the future: is the"
            " clock of this machine right?"
        )
    until = fields.get("Valid-Until")
    if until and _seconds(until, "Valid-Until", url) < now:
        raise Unusable(f"{url} is signed, but it expired: Valid-Until: {foreign_word(until)[1:-1]}")


def _seconds(date: str, name: str, url: str) -> int:
    try:
        parsed = email.utils.parsedate_tz(date[:_LONGEST_DATE])
        if parsed is None:
            raise ValueError
        seconds = email.utils.mktime_tz(parsed)
        time.gmtime(seconds)
        return seconds
    except (LookupError, ValueError, OverflowError, OSError):
        raise Unusable(f"{url} is signed, but its {name} is {foreign_word(date)}") from None


def _hashes(text: str, url: str) -> dict[str, tuple[str, int]]:
    found = {}
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        size = whole_number(words[1]) if len(words) == 3 else None
        if size is None:
            raise Unusable(
                f"{url} is signed, but malformed: {foreign_word(line)} is not a hash, a size and a"
                " path"
            )
        found[words[2]] = (words[0], size)
    return found
