"""Rules that find first-party modules that strings name and that an image lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pants.backend.python.dependency_inference.module_mapper import (
    FirstPartyPythonModuleMapping,
    ModuleProvider,
)
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import implicitly, rule
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.plan.named_modules import missing_modules
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings
from inseam.rules.layers.code import Mention
from inseam.rules.layers.service import ServiceRequest, dependency_layers, service_parts

NAMED_MODULE = FindingKind(
    "named-module",
    Severity.warning,
    "A string in the code names a first-party module that the image does not contain.",
)


@dataclass(frozen=True)
class MentionedRequest:
    """A request for the modules of a resolve that strings name and that an image lacks."""

    mentions: tuple[Mention, ...]
    resolve: str
    paths: frozenset[str]
    """Paths of the code in the image, relative to its source roots."""


@dataclass(frozen=True)
class Mentioned:
    """The modules that the image lacks, what names each, and its targets' addresses."""

    found: tuple[tuple[str, Mention, tuple[str, ...]], ...]


@rule(desc="Find modules that code mentions", level=LogLevel.DEBUG)
async def mentioned(request: MentionedRequest, mapping: FirstPartyPythonModuleMapping) -> Mentioned:
    known: Mapping[str, tuple[ModuleProvider, ...]] = (
        mapping.resolves_to_modules_to_providers.get(request.resolve) or {}
    )
    missing = missing_modules(request.mentions, known, request.paths)
    return Mentioned(
        tuple(
            (module, mention, tuple(sorted({str(one.addr) for one in known[module]})))
            for module, mention in sorted(missing.items())
        )
    )


class NamedModuleCheck(ImageCheckRequest):
    """Checks that an image contains the modules that strings in its code name."""

    kinds = (NAMED_MODULE,)


@rule(desc="Check the modules that strings name", level=LogLevel.DEBUG)
async def check_named_modules(request: NamedModuleCheck) -> ImageFindings:
    contents = request.contents
    if contents.service is None or not contents.mentions:
        return ImageFindings()
    service: ServiceRequest = contents.service
    parts = await service_parts(service, **implicitly())
    dependencies = await dependency_layers(service, **implicitly())
    wanted = MentionedRequest(contents.mentions, parts.resolve, dependencies.paths)
    found = await mentioned(wanted, **implicitly())
    target = str(contents.target)
    return ImageFindings(
        tuple(
            Finding(
                NAMED_MODULE,
                target,
                module,
                f"{mention.path}, line {mention.line}, names {mention.name}, but the image does not"
                f" contain the module {module}.",
                f"If the service loads it, add {' or '.join(map(repr, owners))} to `dependencies`.",
            )
            for module, mention, owners in found.found
        )
    )


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, NamedModuleCheck)]
