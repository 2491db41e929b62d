"""Describes an installed wheel in a few bytes: size, licence, requirements, embedded SBOMs."""

from __future__ import annotations

import json
from email.parser import BytesHeaderParser
from typing import Any, Iterable, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.files import parse_json
from inseam.formats.records import plain

WHEEL_FACTS = "wheel.json"

# Maximum number of values of a METADATA field, and their maximum length. The rest is cut.
_MOST_VALUES = 2000
_LONGEST = 2000


class Licence(NamedTuple):
    """What METADATA says about the licence (core metadata specification, PEP 639)."""

    expression: str = ""
    """License-Expression: an SPDX expression."""
    text: str = ""
    """License: free text, often the name of a licence."""
    classifiers: tuple[str, ...] = ()
    """The classifiers that start with "License ::"."""
    files: tuple[str, ...] = ()
    """License-File: paths below `licenses` in its .dist-info."""


class WheelFacts(NamedTuple):
    """Facts about an installed wheel."""

    size: int
    """Total size in bytes of its files in the image, including bytecode."""
    files: int
    """The number of these files."""
    licence: Licence = Licence()
    requires: tuple[str, ...] = ()
    """Requires-Dist, in order."""
    sboms: tuple[str, ...] = ()
    """Relative paths in the image of the SBOMs that it contains (PEP 770)."""


def facts_of(metadata: bytes, sizes: Iterable[tuple[str, int]]) -> WheelFacts:
    """The facts about a wheel. metadata: its METADATA; empty if it has none. sizes: the size in
    bytes of each of its files, by path in the image.
    """
    sizes = list(sizes)
    headers = BytesHeaderParser().parsebytes(metadata)

    def values(name: str) -> tuple[str, ...]:
        found = headers.get_all(name, [])[:_MOST_VALUES]
        return tuple(" ".join(str(value).split())[:_LONGEST] for value in found)

    return WheelFacts(
        sum(size for _, size in sizes),
        len(sizes),
        Licence(
            "".join(values("License-Expression")[:1]),
            "".join(values("License")[:1]),
            tuple(one for one in values("Classifier") if one.startswith("License ::")),
            values("License-File"),
        ),
        values("Requires-Dist"),
        tuple(sorted(path for path, _ in sizes if ".dist-info/sboms/" in path)),
    )


def dump_facts(facts: WheelFacts) -> bytes:
    """The text of `wheel.json`."""
    return json.dumps(plain(facts)).encode()


def load_facts(text: bytes) -> WheelFacts:
    """Reads the text of a `wheel.json`; raises Failure for anything else."""
    data: Any = parse_json(text, WHEEL_FACTS)
    try:
        licence = data["licence"]
        return WheelFacts(
            int(data["size"]),
            int(data["files"]),
            Licence(
                licence["expression"],
                licence["text"],
                tuple(licence["classifiers"]),
                tuple(licence["files"]),
            ),
            tuple(data["requires"]),
            tuple(data["sboms"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Failure(f"{WHEEL_FACTS} does not describe a wheel: {error}") from None
