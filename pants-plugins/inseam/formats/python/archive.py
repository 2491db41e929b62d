"""Parses the location and the hash of an archive with CPython: `LOCATION#sha256=HEX`."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.names import relative_path

_FRAGMENT = re.compile(r"(?P<location>[^#]+)#sha256=(?P<sha256>[0-9a-f]{64})")
# Schemes that `urllib` opens; the URL is not passed to other programs.
_SCHEMES = ("https", "http", "file")


# Where an archive's CPython is in an image, as in Python's official images.
PREFIX = "usr/local"


def interpreter_path(version: str) -> str:
    """The path of the interpreter of version X.Y.Z in an image."""
    return f"/{PREFIX}/bin/python{'.'.join(version.split('.')[:2])}"


class ArchiveLocation(NamedTuple):
    """The location of an archive with CPython."""

    location: str
    """A URL, or a path from the root of the repository."""
    sha256: str

    @property
    def is_url(self) -> bool:
        """Whether it has to be fetched."""
        return "://" in self.location

    @property
    def file_name(self) -> str:
        """The last part of its path."""
        path = urlsplit(self.location).path if self.is_url else self.location
        return path.rpartition("/")[2]


def _is_usable(url: str) -> bool:
    try:
        return urlsplit(url).scheme in _SCHEMES
    except ValueError:
        return False


def parse_location(text: str) -> ArchiveLocation:
    """Reads `LOCATION#sha256=HEX`; raises Failure for anything else."""
    match = _FRAGMENT.fullmatch(text)
    if match is None:
        raise Failure(
            f"{foreign_word(text)} must be a URL, or a path from the root of the repository, that"
            " ends in `#sha256=` and the archive's sha256, which `sha256sum` prints"
        )
    found = ArchiveLocation(match["location"], match["sha256"])
    if not found.is_url:
        relative_path(found.location, f"the path in {foreign_word(text)}")
    elif not _is_usable(found.location):
        raise Failure(
            f"{foreign_word(text)} must be a URL of one of the kinds {', '.join(_SCHEMES)}"
        )
    if not re.fullmatch(r"[\w.+%-]+", found.file_name):
        raise Failure(f"{foreign_word(text)} must end in the name of a file before `#sha256=`")
    return found
