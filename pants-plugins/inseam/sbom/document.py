"""Rules that write a software bill of materials for each image: `sbom.cdx.json`, an attachment."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from typing import Any

from pants.engine.fs import Digest, MergeDigests
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import concurrently, digest_to_snapshot, implicitly, merge_digests, rule
from inseam.formats.oci.documents import ImageDocument
from inseam.plan.lock_values import artifact_name
from inseam.plan.pex_lock import parse_pex_lock
from inseam.rules.image.documents import ImageDocumentRequest, ImageDocuments
from inseam.rules.programs.digests import file_content, written
from inseam.rules.programs.host import Program, run_on_host
from inseam.rules.wheels.files import FileRequest, fetched_file
from inseam.sbom.bill import BILL, dump_bill
from inseam.sbom.contents import bill_of

CYCLONEDX_TYPE = "application/vnd.cyclonedx+json"
_LOCK = "sbom/cyclonedx.lock"
_PROGRAM = "sbom.programs.cyclonedx"
_SBOM = "sbom.cdx.json"


class SbomDocument(ImageDocumentRequest):
    """Asks for a CycloneDX document that lists what is in an image."""


@dataclass(frozen=True)
class CycloneDxRequest:
    """The library that writes CycloneDX."""


@dataclass(frozen=True)
class CycloneDx:
    """That library, and what it needs."""

    digest: Digest
    """With their modules at its root."""


@cache
def _wheels() -> tuple[FileRequest, ...]:
    """The wheels of the lock that comes with this backend; all are pure Python."""
    text = pkgutil.get_data("inseam", _LOCK)
    assert text is not None
    lock = parse_pex_lock(text, _LOCK, "cyclonedx")
    return tuple(
        FileRequest(item.name, artifact.url, artifact.hash, artifact_name(artifact.url, _LOCK))
        for part in lock.parts
        for item in part.distributions
        for artifact in item.artifacts
    )


@rule(desc="Fetch the library for CycloneDX", level=LogLevel.DEBUG)
async def cyclonedx_library(request: CycloneDxRequest) -> CycloneDx:
    fetched = await concurrently(fetched_file(one, **implicitly()) for one in _wheels())
    wheels = await merge_digests(MergeDigests(file.digest for file in fetched))
    files = await digest_to_snapshot(wheels)
    unpacked = await run_on_host(
        Program(
            argv=("unpack", "libraries", *files.files),
            input=wheels,
            output="libraries",
            description="Unpack the library for CycloneDX",
        )
    )
    return CycloneDx(unpacked.digest)


@rule(desc="Write a software bill of materials", level=LogLevel.DEBUG)
async def write_sbom(request: SbomDocument) -> ImageDocuments:
    library = await cyclonedx_library(CycloneDxRequest(), **implicitly())
    made = await run_on_host(
        Program(
            argv=(_PROGRAM, BILL, "out"),
            input=await written({BILL: dump_bill(bill_of(request.contents))}),
            output="out",
            description=f"Write the SBOM of {request.contents.target}",
            libraries=library.digest,
        )
    )
    content = await file_content(made.digest, _SBOM)
    return ImageDocuments((ImageDocument(CYCLONEDX_TYPE, content, _SBOM, attached=True),))


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageDocumentRequest, SbomDocument)]
