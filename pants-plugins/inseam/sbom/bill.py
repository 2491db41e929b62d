"""The content of a bill of materials, independent of its format: components and dependencies."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from inseam.formats.files import parse_json
from inseam.formats.records import plain

BILL = "bill.json"
SBOM = "sbom.cdx.json"
"""The file that is made from it: CycloneDX as JSON."""


class PackageUrl(NamedTuple):
    """The parts of a package URL (ECMA-427)."""

    type: str
    """Such as "pypi" or "deb"."""
    name: str
    version: str = ""
    namespace: str = ""
    """Such as "debian"."""
    qualifiers: tuple[tuple[str, str], ...] = ()


class LicenceClaim(NamedTuple):
    """What a component says about its licence."""

    expression: str = ""
    """An SPDX expression (core metadata's License-Expression, PEP 639)."""
    names: tuple[str, ...] = ()
    """Licence names, used if there is no expression."""


class Component(NamedTuple):
    """A part of an image."""

    ref: str
    """Its name in the dependencies of other components; unique in a bill."""
    type: str
    """CycloneDX's "library", "application", "platform", "operating-system" or "container"."""
    name: str
    version: str = ""
    purl: PackageUrl | None = None
    sha256: str = ""
    """sha256 of the file that it was installed from, in hexadecimal."""
    licence: LicenceClaim = LicenceClaim()
    properties: tuple[tuple[str, str], ...] = ()
    """Names and values; a name may occur several times."""


class Bill(NamedTuple):
    """The content of an image."""

    image: Component
    components: tuple[Component, ...]
    """Sorted by their refs."""
    requires: tuple[tuple[str, tuple[str, ...]], ...]
    """For each ref, including that of the image, the sorted refs of what it needs."""


def dump_bill(bill: Bill) -> bytes:
    """The text of `bill.json`."""
    return json.dumps(plain(bill), sort_keys=True).encode()


def load_bill(text: bytes) -> Bill:
    """Reads the text of `bill.json`."""
    data: Any = parse_json(text, BILL)
    return Bill(
        _component(data["image"]),
        tuple(map(_component, data["components"])),
        tuple((ref, tuple(needed)) for ref, needed in data["requires"]),
    )


def _component(data: Any) -> Component:
    purl, licence = data["purl"], data["licence"]
    if purl:
        purl = PackageUrl(**{**purl, "qualifiers": tuple(map(tuple, purl["qualifiers"]))})
    return Component(
        data["ref"],
        data["type"],
        data["name"],
        data["version"],
        purl,
        data["sha256"],
        LicenceClaim(licence["expression"], tuple(licence["names"])),
        tuple((name, value) for name, value in data["properties"]),
    )
