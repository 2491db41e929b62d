"""Rules that report wheels whose RECORD does not match their files."""

from __future__ import annotations

from typing import Any

from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import rule
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings

AMENDED_RECORD = FindingKind(
    "amended-record",
    Severity.warning,
    "The RECORD of a wheel does not match its files; the image contains a corrected one.",
)


class RecordCheck(ImageCheckRequest):
    """Asks for wheels whose RECORD was corrected."""

    kinds = (AMENDED_RECORD,)


@rule(desc="Check the data of wheels", level=LogLevel.DEBUG)
async def check_records(request: RecordCheck) -> ImageFindings:
    contents = request.contents
    return ImageFindings(
        tuple(
            Finding(
                AMENDED_RECORD, str(contents.target), wheel.wheel.filename, wheel.amended, fix=""
            )
            for wheel in contents.wheels
            if wheel.amended
        )
    )


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, RecordCheck)]
