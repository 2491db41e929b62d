"""Reads the names of wheels (PEP 427), within bounds."""

from __future__ import annotations

from typing import NamedTuple

from packaging.utils import BuildTag, parse_wheel_filename
from packaging.version import Version

# Of the largest wheels on an index, each of which stands for some systems and interpreters, a name
# has some dozens. Three lists of tags are multiplied, so that 255 letters could stand for 70,000.
_MOST_TAGS = 1000


class WheelName(NamedTuple):
    """What the file name of a wheel says."""

    name: str
    """Canonical."""
    version: Version
    build: BuildTag
    tags: frozenset[str]


def parse_wheel_name(filename: str) -> WheelName:
    """Reads the file name of a wheel; raises ValueError for another name."""
    count = 1
    for part in filename.rsplit("-", 3)[1:]:
        count *= part.count(".") + 1
    if count > _MOST_TAGS:
        raise ValueError(f"it stands for more than {_MOST_TAGS} tags")
    name, version, build, tags = parse_wheel_filename(filename)
    return WheelName(str(name), version, build, frozenset(map(str, tags)))
