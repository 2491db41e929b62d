"""Reads the file names of wheels (PEP 427), with limits."""

from __future__ import annotations

from typing import NamedTuple

from packaging.utils import BuildTag, parse_wheel_filename
from packaging.version import Version

# Real names have at most a few dozen tags. A name has three lists of tags, which are multiplied, so
# 255 letters could stand for 70,000 tags.
_MOST_TAGS = 1000


class WheelName(NamedTuple):
    """What the file name of a wheel says."""

    name: str
    """Canonical name of the distribution."""
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
