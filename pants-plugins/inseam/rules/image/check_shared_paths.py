"""Rules that report the paths at which two distributions of an image install a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import implicitly, rule
from inseam.formats.python.shared_path import (
    EQUAL,
    PREFERRED,
    SAME_MEANING,
    Preference,
    SharedPath,
    shown,
)
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.plan.shared_paths import label, listed
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings
from inseam.rules.layers.shared_paths import SharedPathsRequest, shared_paths

SHARED_PATH = FindingKind(
    "shared-path",
    Severity.ignore,
    "Two distributions install the same file, such as an empty `__init__.py`.",
)
REPLACED_FILE = FindingKind(
    "replaced-file",
    Severity.warning,
    "Two distributions install different files at one path, but it makes no difference which one"
    " the image has.",
)
UNUSED_PREFERENCE = FindingKind(
    "unused-preference",
    Severity.warning,
    "`prefer` chooses between distributions that do not install different files.",
)


class SharedPathCheck(ImageCheckRequest):
    """Checks the paths at which two distributions install a file."""

    kinds = (SHARED_PATH, REPLACED_FILE, UNUSED_PREFERENCE)


@rule(desc="Check the paths of distributions", level=LogLevel.DEBUG)
async def check_shared_paths(request: SharedPathCheck) -> ImageFindings:
    contents = request.contents
    if not contents.wheel_layers:
        return ImageFindings()
    wanted = SharedPathsRequest(contents.wheel_layers, contents.base.base.python, contents.prefer)
    found = await shared_paths(wanted, **implicitly())
    target = str(contents.target)
    return ImageFindings(
        (*_findings(found.paths, target), *_unused(contents.prefer, found.paths, target))
    )


def _findings(paths: Iterable[SharedPath], target: str) -> Iterator[Finding]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in paths:
        if one.why != PREFERRED:
            groups.setdefault((one.kept, one.other, one.why), []).append(shown(one.path))
    for (kept, other, why), found in sorted(groups.items()):
        places = sorted(found)
        both = f"{label(kept)} and {label(other)} both install {listed(places)}"
        if why == EQUAL:
            yield Finding(SHARED_PATH, target, places[0], f"{both}, with equal content.", "")
        else:
            same = why == SAME_MEANING
            reason = "Both do the same" if same else "No running service reads them"
            text = (
                f"{both}, with different content. {reason}; the image has what {label(kept)} has."
            )
            yield Finding(REPLACED_FILE, target, places[0], text, "")


def _unused(
    prefer: Iterable[Preference], paths: Iterable[SharedPath], target: str
) -> Iterator[Finding]:
    used = {one.key for one in paths}
    for key, winner in prefer:
        if key not in used:
            text = f"`prefer` has {key!r}: {winner!r}, but no two distributions clash there."
            yield Finding(UNUSED_PREFERENCE, target, key, text, "Remove it.")


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, SharedPathCheck)]
