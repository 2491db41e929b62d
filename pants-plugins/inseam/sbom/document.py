"""Rules that write a software bill of materials for each image: `sbom.cdx.json`, an attachment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.fs import Digest, MergeDigests
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import concurrently, implicitly, merge_digests, rule
from inseam.formats.oci.documents import ImageDocument
from inseam.plan.lock_values import artifact_name
from inseam.rules.image.documents import ImageDocumentRequest, ImageDocuments
from inseam.rules.programs.digests import file_content, written
from inseam.rules.programs.host import Program, run_on_host
from inseam.rules.wheels.files import FileRequest, fetched_file
from inseam.rules.wheels.modules import shipped_python_lock, unpacked_modules
from inseam.sbom.bill import BILL, SBOM, dump_bill
from inseam.sbom.contents import bill_of

CYCLONEDX_TYPE = "application/vnd.cyclonedx+json"
_LOCK = "sbom/cyclonedx.lock"
_PROGRAM = "sbom.programs.cyclonedx"


class SbomDocument(ImageDocumentRequest):
    """Asks for a CycloneDX document that lists what is in an image."""


@dataclass(frozen=True)
class CycloneDxRequest:
    """Asks for the library that writes CycloneDX."""


@dataclass(frozen=True)
class CycloneDx:
    """That library and its dependencies."""

    digest: Digest
    """A digest with their modules at its root."""


def _wheels() -> list[FileRequest]:
    """The wheels of the lock that comes with this backend; all are pure Python."""
    return [
        FileRequest(item.name, artifact.url, artifact.hash, artifact_name(artifact.url, _LOCK))
        for part in shipped_python_lock(_LOCK).parts
        for item in part.distributions
        for artifact in item.artifacts
    ]


@rule(desc="Fetch the library for CycloneDX", level=LogLevel.DEBUG)
async def cyclonedx_library(request: CycloneDxRequest) -> CycloneDx:
    fetched = await concurrently(fetched_file(one, **implicitly()) for one in _wheels())
    wheels = await merge_digests(MergeDigests(file.digest for file in fetched))
    return CycloneDx(await unpacked_modules(wheels, "the library for CycloneDX"))


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
    content = await file_content(made.digest, SBOM)
    return ImageDocuments((ImageDocument(CYCLONEDX_TYPE, content, SBOM, attached=True),))


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageDocumentRequest, SbomDocument)]
