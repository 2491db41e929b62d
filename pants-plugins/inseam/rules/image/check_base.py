"""Rules that report what is unusual about the base of an image."""

from __future__ import annotations

from typing import Any

from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import implicitly, rule
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.rules.base.interpreter import found_python
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings

NEWER_PACKAGE = FindingKind(
    "newer-package",
    Severity.warning,
    "The base has a Debian package that is newer than its lock, as `debian_allow_newer` allows.",
)
INSTALLED_PYTHON = FindingKind(
    "installed-python",
    Severity.warning,
    "This machine cannot run the base's CPython, so an installed one made the layers.",
)
REGISTRY_BASE = FindingKind(
    "registry-base",
    Severity.warning,
    "The image of a `registry_base` differs from what its target declares, or does not say enough.",
)


class BaseCheck(ImageCheckRequest):
    """Asks what is unusual about the base of an image."""

    kinds = (NEWER_PACKAGE, INSTALLED_PYTHON, REGISTRY_BASE)


@rule(desc="Check the base of an image", level=LogLevel.DEBUG)
async def check_base(request: BaseCheck) -> ImageFindings:
    found = request.contents.base
    base = found.base
    address = str(base.address)
    newer = found.rootfs.messages if found.rootfs else ()
    findings = [Finding(NEWER_PACKAGE, address, text, text, fix="") for text in newer]
    findings += [Finding(REGISTRY_BASE, address, "", text, fix="") for text in found.messages]
    python = await found_python(base.python, **implicitly())
    if python.cannot_run:
        text = (
            f"this machine cannot run the CPython of {address}. An installed CPython"
            f" {base.python_version} makes its layers, and decides a few bytes of them."
        )
        fix = "Build on Linux for digests that are the same everywhere."
        findings.append(Finding(INSTALLED_PYTHON, address, base.python_version, text, fix))
    return ImageFindings(tuple(findings))


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, BaseCheck)]
