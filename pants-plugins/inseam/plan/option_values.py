"""Checks option values that nothing else checks: numbers, and paths in the repository."""

from __future__ import annotations

from typing import Mapping, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.names import relative_path

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
