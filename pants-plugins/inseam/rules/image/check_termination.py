"""Rules that find images whose program does not end at SIGTERM."""

from __future__ import annotations

from typing import Any

from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import rule
from inseam.plan.container import script
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings

IGNORED_SIGTERM = FindingKind(
    "ignored-sigterm",
    Severity.warning,
    "The program of an image is its first process, and has no handler for SIGTERM.",
)


class TerminationCheck(ImageCheckRequest):
    """Checks that SIGTERM ends a container."""

    kinds = (IGNORED_SIGTERM,)


@rule(desc="Check what ends a container", level=LogLevel.DEBUG)
async def check_termination(request: TerminationCheck) -> ImageFindings:
    contents = request.contents
    config = contents.config
    if config.stop_signal not in (None, "", "SIGTERM", "TERM", "15"):
        return ImageFindings()
    return ImageFindings(
        tuple(
            Finding(
                IGNORED_SIGTERM,
                str(contents.target),
                one.path,
                f"{one.path} runs for ever from line {one.line}, and nothing in the code handles"
                " SIGTERM, which the kernel does not deliver to the first process of a container"
                " without a handler: `docker stop` waits 10 seconds and kills it.",
                "Call signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)) before that line, or"
                " set `init=True`.",
            )
            for one in contents.endless
            if tuple(config.entrypoint[:1]) == (script(one.program),)
        )
    )


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, TerminationCheck)]
