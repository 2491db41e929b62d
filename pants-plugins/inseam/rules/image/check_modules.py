"""Rules that find wheels that import a standard module that the image lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import concurrently, implicitly, rule
from inseam.formats.python.installed import IMPORTS, load_imports
from inseam.formats.python.standard import remedy
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings
from inseam.rules.layers.layer import StoredLayer
from inseam.rules.programs.digests import file_content

_SHOWN = 3  # number of files that a message names for each module

MISSING_MODULE = FindingKind(
    "missing-module",
    Severity.warning,
    "A wheel imports a module that neither the base's Python nor any wheel has.",
)


@dataclass(frozen=True)
class ModulesRequest:
    """Asks which of the given standard modules the wheels of an image import."""

    target: Address
    """Address of the image."""
    layers: tuple[StoredLayer, ...]
    """The layers with wheels."""
    missing: tuple[str, ...]
    """Modules that the image lacks."""
    python_version: str
    """The base's Python version, such as "3.11"."""


# Separate from the check of an image, so that editing code does not run it again.
@rule(desc="Check the imports of wheels", level=LogLevel.DEBUG)
async def missing_modules(request: ModulesRequest) -> ImageFindings:
    texts = await concurrently(
        file_content(layer.digest, f"{layer.folder}/{IMPORTS}") for layer in request.layers
    )
    imports = [one for text in texts for one in load_imports(text) if one.module in request.missing]
    findings = []
    for module in sorted({one.module for one in imports}):
        inside = [one for one in imports if one.module == module]
        files = ", ".join(f"{one.path} of {one.wheel}" for one in inside[:_SHOWN])
        more = f", and {len(inside) - _SHOWN} more files" if len(inside) > _SHOWN else ""
        text = (
            f"the base's Python {request.python_version} does not have {module}, which"
            f" {files}{more} import{'s' if len(inside) == 1 else ''}."
        )
        fix = remedy(module, request.python_version)
        findings.append(Finding(MISSING_MODULE, str(request.target), module, text, fix))
    return ImageFindings(tuple(findings))


class ModuleCheck(ImageCheckRequest):
    """Asks which standard modules that the wheels import are missing from an image."""

    kinds = (MISSING_MODULE,)


@rule(desc="Check the standard modules of an image", level=LogLevel.DEBUG)
async def check_modules(request: ModuleCheck) -> ImageFindings:
    contents = request.contents
    if not contents.missing_modules or not contents.wheel_layers:
        return ImageFindings()
    wanted = ModulesRequest(
        contents.target,
        contents.wheel_layers,
        contents.missing_modules,
        contents.base.base.python_version,
    )
    found: ImageFindings = await missing_modules(wanted, **implicitly())
    return found


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, ModuleCheck)]
