"""Says what was found about an image, and what becomes of it: shown, allowed, or an error."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from inseam.formats.failure import Failure

PAGE = "docs/findings.md"
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Severity(Enum):
    """What happens when `package` finds something."""

    ignore = "ignore"
    warning = "warning"
    error = "error"


@dataclass(frozen=True)
class FindingKind:
    """A kind of finding."""

    id: str
    """Short and stable, as "missing-library"."""
    severity: Severity
    """That which it has unless an option says otherwise."""
    meaning: str
    """A sentence for the page that lists all kinds."""

    def __post_init__(self) -> None:
        assert _ID.fullmatch(self.id), self.id


@dataclass(frozen=True)
class Finding:
    """Something that was found about an image."""

    kind: FindingKind
    address: str
    """Of the target that it concerns, usually a service."""
    place: str
    """What an allowance can name besides the kind: a library, a module, a file."""
    text: str
    """What is wrong, as a sentence or more."""
    fix: str
    """What to type next, as a sentence or more; "" if `text` says it."""

    @property
    def id(self) -> str:
        return self.kind.id

    def __str__(self) -> str:
        fix = f" {self.fix}" if self.fix else ""
        return f"{self.address}: {self.text}{fix} [{self.key}]"

    @property
    def key(self) -> str:
        """By which an allowance names it."""
        return f"{self.id}:{self.place}" if self.place else self.id


UNUSED_ALLOWANCE = FindingKind(
    "unused-allowance",
    Severity.warning,
    "`allowed_findings` allows something that was not found.",
)


@dataclass(frozen=True)
class Judged:
    """Findings by what becomes of them."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    allowed: tuple[Finding, ...]

    @property
    def shown(self) -> tuple[Finding, ...]:
        """Those that people see."""
        return (*self.errors, *self.warnings)


def check_severities(severities: Mapping[str, str], known: Collection[str]) -> dict[str, Severity]:
    """The option `[inseam].finding_severities`; raises Failure for an unknown kind or severity."""
    found = {}
    for name, value in severities.items():
        if name not in known:
            raise Failure(
                f"[inseam].finding_severities has {name!r}, which is not the ID of a finding. Known"
                f" are {', '.join(sorted(known))}: see {PAGE}."
            )
        if value not in Severity.__members__:
            raise Failure(
                f"[inseam].finding_severities sets {name!r} to {value!r}. Write one of"
                f" {', '.join(Severity.__members__)}."
            )
        found[name] = Severity[value]
    return found


def judge(
    findings: Iterable[Finding],
    allowances: Mapping[str, str],
    severities: Mapping[str, Severity],
    address: str,
    *,
    complete: bool = True,
) -> Judged:
    """Sorts findings by what becomes of them.

    allowances: reasons by "ID" or "ID:PLACE", where PLACE is a glob. severities: by ID, where they
    are not those of the kinds. address: of the target with the allowances. complete: whether all
    that they may allow was looked for.
    """
    errors, warnings, allowed = [], [], []
    unused = dict(allowances)
    for finding in sorted(set(findings), key=lambda one: (one.id, one.address, one.place)):
        matching = [key for key in allowances if _allows(key, finding)]
        for key in matching:
            unused.pop(key, None)
        severity = severities.get(finding.id, finding.kind.severity)
        if matching:
            allowed.append(finding)
        elif severity is Severity.error:
            errors.append(finding)
        elif severity is Severity.warning:
            warnings.append(finding)
    if complete and severities.get(UNUSED_ALLOWANCE.id) is not Severity.ignore:
        found = [_unused(key, reason, address) for key, reason in sorted(unused.items())]
        wanted = severities.get(UNUSED_ALLOWANCE.id, UNUSED_ALLOWANCE.severity)
        (errors if wanted is Severity.error else warnings).extend(found)
    return Judged(tuple(errors), tuple(warnings), tuple(allowed))


def _allows(key: str, finding: Finding) -> bool:
    name, _, glob = key.partition(":")
    return name == finding.id and (not glob or fnmatchcase(finding.place, glob))


def _unused(key: str, reason: str, address: str) -> Finding:
    return Finding(
        UNUSED_ALLOWANCE,
        address,
        key,
        f"`allowed_findings` allows {key!r} ({reason}), but nothing like that was found.",
        "Remove it.",
    )
