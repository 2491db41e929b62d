"""Checks option values that nothing else checks: numbers, and paths in the repository."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Mapping, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.names import relative_path

_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9:]{8})(?:\.[0-9]+)?([Zz]|[+-][0-9:]{5})")
_YEAR = 365 * 24 * 3600  # in seconds


class Range(NamedTuple):
    """The numbers that an option accepts, including both ends."""

    least: int
    most: int
    unit: str


NUMBERS = {
    "build_timeout": Range(1, _YEAR, "seconds"),
    "large_wheel": Range(0, 10**15, "bytes"),
    "max_download_size": Range(1, 10**15, "bytes"),
    "max_layers": Range(1, 127, "layers"),
    "prune_after": Range(0, 36_500, "days"),
    "registry_timeout": Range(1, _YEAR, "seconds"),
}
"""Options of [inseam] by name. Docker's overlay2 mounts 127 layers at most."""


def check_numbers(values: Mapping[str, int]) -> None:
    """Raises Failure for an option whose value is out of range. values: by option name."""
    for name, (least, most, unit) in NUMBERS.items():
        if not least <= values[name] <= most:
            raise Failure(
                f"[inseam].{name} must be a number of {unit} from {least} to {most}, but is"
                f" {values[name]}. Correct it, or leave it out for its default."
            )


def check_paths(paths: Mapping[str, str]) -> None:
    """Raises Failure for a path of a lock that is outside the repository.

    paths: by the name of the option in errors, such as "[inseam].default_base_lock".
    """
    for option, path in paths.items():
        relative_path(path, f"{option}, a path from the root of the repository,")


def check_globs(option: str, globs: tuple[str, ...]) -> None:
    """Raises Failure for a glob that can match files outside the repository, or no files at all."""
    for glob in globs:
        parts = glob[glob.startswith("!") :].split("/")
        if {"", ".", ".."} & set(parts) or not glob.isprintable():
            raise Failure(
                f"{option} must contain globs from the root of the repository, such as"
                f" lockfiles/debian-*.json, but has {foreign_word(glob)}."
            )


def rfc3339(text: str, option: str) -> str:
    """A time in whole seconds and UTC, in the form that image configurations have; raises Failure
    for a text that is neither seconds since 1970 nor RFC 3339 with a time zone."""
    try:
        if text.isascii() and text.isdigit():
            found = datetime.fromtimestamp(int(text), timezone.utc)
        else:
            match = _TIME.fullmatch(text)
            day, time, zone = match.groups() if match else ("", "", "")
            zone = "+00:00" if zone in ("Z", "z") else zone
            found = datetime.fromisoformat(f"{day}T{time}{zone}").astimezone(timezone.utc)
        if found.year < 1970:
            raise ValueError
    except (ValueError, OverflowError, OSError):
        raise Failure(
            f"{option} must be a time, such as 1764547200 or 2025-12-01T00:00:00Z, but is"
            f" {foreign_word(text)}. `git log -1 --format=%ct` prints that of the source revision."
        ) from None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")
