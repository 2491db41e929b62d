"""Rules that report wheels whose builds were not confined."""

from __future__ import annotations

from typing import Any

from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import rule
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings
from inseam.rules.wheels.wheels import BuiltWheel

UNCONFINED_BUILD = FindingKind(
    "unconfined-build",
    Severity.warning,
    "A wheel was built from its sources without namespaces, as `allow_unconfined_builds` allows.",
)


class BuildCheck(ImageCheckRequest):
    """Asks for wheels whose builds printed messages."""

    kinds = (UNCONFINED_BUILD,)


@rule(desc="Check the builds of wheels", level=LogLevel.DEBUG)
async def check_builds(request: BuildCheck) -> ImageFindings:
    contents = request.contents
    return ImageFindings(
        tuple(
            Finding(
                UNCONFINED_BUILD,
                str(contents.target),
                wheel.name,
                f"{wheel.name}: {wheel.messages}",
                "",
            )
            for wheel in (one.wheel for one in contents.wheels)
            if isinstance(wheel, BuiltWheel) and wheel.messages
        )
    )


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, BuildCheck)]
