"""The extension point for checks, which report findings about an image."""

from __future__ import annotations

import logging
from abc import ABCMeta
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from pants.engine.environment import EnvironmentName
from pants.engine.internals.session import RunId
from pants.engine.rules import collect_rules
from pants.engine.target import Target
from pants.engine.unions import UnionMembership, union

from inseam.compat import concurrently, implicitly, polymorphic
from inseam.formats.failure import Failure
from inseam.plan.findings import (
    UNUSED_ALLOWANCE,
    Finding,
    FindingKind,
    check_severities,
    judge,
)
from inseam.rules.generate.base import service_of
from inseam.rules.image.contents import ImageContents
from inseam.subsystem import InseamSubsystem
from inseam.targets.container import AllowedFindingsField

logger = logging.getLogger(__name__)


@union(in_scope_types=[EnvironmentName])
@dataclass(frozen=True)
class ImageCheckRequest(metaclass=ABCMeta):
    """Asks for findings about an image for one platform.

    A backend registers a subclass with its kinds of findings as a member of this union, and a rule
    from that to `ImageFindings`. Slow work belongs in another rule, whose request does not contain
    the image's code, so that editing the code does not repeat the work.
    """

    contents: ImageContents

    kinds: ClassVar[tuple[FindingKind, ...]] = ()


@dataclass(frozen=True)
class ImageFindings:
    """The findings of one check."""

    findings: tuple[Finding, ...] = ()


@polymorphic
async def check_image(request: ImageCheckRequest, environment: EnvironmentName) -> ImageFindings:
    """Runs one check."""
    raise NotImplementedError


def known_kinds(membership: UnionMembership) -> dict[str, FindingKind]:
    """The kinds of findings by ID."""
    kinds = [kind for member in membership[ImageCheckRequest] for kind in member.kinds]
    return {kind.id: kind for kind in sorted([*kinds, UNUSED_ALLOWANCE], key=lambda kind: kind.id)}


async def findings_of(
    contents: ImageContents, membership: UnionMembership, inseam: InseamSubsystem
) -> tuple[Finding, ...]:
    """The findings of all checks about an image."""
    members = inseam.enabled(membership[ImageCheckRequest])
    requests = [member(contents) for member in members]
    found = await concurrently(
        check_image(**implicitly({request: ImageCheckRequest})) for request in requests
    )
    return tuple(finding for one in found for finding in one.findings)


def shown_findings(
    findings: Iterable[Finding],
    target: Target,
    membership: UnionMembership,
    inseam: InseamSubsystem,
    *,
    complete: bool = True,
) -> tuple[Finding, ...]:
    """The findings that are warnings; raises Failure for those that are errors.

    target: has the field `allowed_findings`. complete: whether every check has run whose findings
    the field may allow.
    """
    allowances = dict(target[AllowedFindingsField].value or {})
    address = str(service_of(target.address))
    severities = check_severities(inseam.finding_severities, known_kinds(membership).keys())
    judged = judge(findings, allowances, severities, address, complete=complete)
    if judged.errors:
        raise Failure("\n".join(map(str, judged.errors)))
    return judged.warnings


class _Said:
    """The findings that were shown in the current session."""

    session: RunId | None = None
    texts: ClassVar[set[str]] = set()


def say(findings: Iterable[Finding], run_id: RunId) -> None:
    """Logs findings as warnings, each once per session.

    Call it from a rule whose request is what the user named, such as the address of an image, and
    that reads the findings from a result. A rule whose request is a finding would show it again
    after it was fixed: before Pants reruns a rule, it reruns everything that it depended on.
    """
    if _Said.session != run_id:
        _Said.session = run_id
        _Said.texts.clear()
    for text in map(str, findings):
        if text not in _Said.texts:
            _Said.texts.add(text)
            logger.warning(text)


def rules() -> list[Any]:
    return [*collect_rules()]
