"""Says what a bill of materials lists, in no format yet: components, and what needs what."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from inseam.formats.files import parse_json
from inseam.formats.records import plain

BILL = "bill.json"
SBOM = "sbom.cdx.json"
"""What is made of it: CycloneDX as JSON."""


class PackageUrl(NamedTuple):
    """The parts of a package URL (ECMA-427)."""

    type: str
    """As "pypi" or "deb"."""
    name: str
    version: str = ""
    namespace: str = ""
    """As "debian"."""
    qualifiers: tuple[tuple[str, str], ...] = ()


class LicenceClaim(NamedTuple):
    """What a component says of its licence."""

    expression: str = ""
    """An SPDX expression (core metadata's License-Expression, PEP 639)."""
    names: tuple[str, ...] = ()
    """Licence names, used if there is no expression."""


class Component(NamedTuple):
    """Something that is in an image."""

    ref: str
    """What other components call it; unique in a bill."""
    type: str
    """Of CycloneDX: "library", "application", "platform", "operating-system" or "container"."""
    name: str
    version: str = ""
    purl: PackageUrl | None = None
    sha256: str = ""
    """Hexadecimal, of the file that it was installed from."""
    licence: LicenceClaim = LicenceClaim()
    properties: tuple[tuple[str, str], ...] = ()
    """Name and value; a name may stand here several times."""


class Bill(NamedTuple):
    """What is in an image."""

    image: Component
    components: tuple[Component, ...]
    """In order of their refs."""
    requires: tuple[tuple[str, tuple[str, ...]], ...]
    """For each ref, that of the image included, the sorted refs of what it needs."""


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
