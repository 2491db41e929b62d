"""Writes a software bill of materials as CycloneDX 1.6 JSON.

Usage: cyclonedx BILL OUT

Reads `bill.json` and writes `sbom.cdx.json` to the folder OUT. The same bill makes the same bytes:
the serial number is derived from the bill, and the time is 1970.

The library that knows the format is imported in functions, so that the program can be read, and
its modules listed, where the library is not installed.
"""

from __future__ import annotations

import datetime
import hashlib
import uuid
from pathlib import Path
from typing import Any

from inseam.formats.files import write_whole
from inseam.sbom.bill import SBOM, Bill, Component, LicenceClaim, PackageUrl, load_bill

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    text = Path(argv[0]).read_bytes()
    write_whole(Path(argv[1], SBOM), cyclonedx_json(load_bill(text), serial_number(text)))


def serial_number(text: bytes) -> uuid.UUID:
    """A version 5 UUID (RFC 9562, section 5.5) of the text of a bill."""
    return uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(text).hexdigest())


def cyclonedx_json(bill: Bill, serial: uuid.UUID) -> bytes:
    """The document (CycloneDX 1.6, ECMA-424)."""
    from cyclonedx.model.bom import Bom, BomMetaData  # pants: no-infer-dep
    from cyclonedx.output.json import JsonV1Dot6  # pants: no-infer-dep

    image = _model(bill.image)
    components = [_model(one) for one in bill.components]
    bom = Bom(
        serial_number=serial,
        version=1,
        metadata=BomMetaData(component=image, timestamp=_EPOCH),
        components=components,
    )
    models = dict(zip((one.ref for one in (bill.image, *bill.components)), [image, *components]))
    for ref, needed in bill.requires:
        bom.register_dependency(models[ref], [models[other] for other in needed])
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    return f"{text}\n".encode()


def _model(component: Component) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType, Property  # pants: no-infer-dep
    from cyclonedx.model import component as models  # pants: no-infer-dep

    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=component.sha256)]
    return models.Component(
        type=models.ComponentType(component.type),
        name=component.name,
        version=component.version or None,
        bom_ref=component.ref,
        purl=_package_url(component.purl) if component.purl else None,
        hashes=hashes if component.sha256 else None,
        licenses=_licences(component.licence),
        properties=[Property(name=name, value=value) for name, value in component.properties],
    )


def _package_url(purl: PackageUrl) -> Any:
    from packageurl import PackageURL  # pants: no-infer-dep

    return PackageURL(
        purl.type, purl.namespace or None, purl.name, purl.version or None, dict(purl.qualifiers)
    )


def _licences(licence: LicenceClaim) -> list[Any]:
    from cyclonedx.model import license as models  # pants: no-infer-dep

    declared = models.LicenseAcknowledgement.DECLARED
    if licence.expression:
        return [models.LicenseExpression(licence.expression, acknowledgement=declared)]
    return [
        models.DisjunctiveLicense(name=name, acknowledgement=declared) for name in licence.names
    ]
