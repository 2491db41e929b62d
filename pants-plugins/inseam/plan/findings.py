"""Sorts the findings about an image: a finding is shown, allowed, or an error."""

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
    """What `package` does with a finding."""

    ignore = "ignore"
    warning = "warning"
    error = "error"


@dataclass(frozen=True)
class FindingKind:
    """A kind of finding."""

    id: str
    """Short and stable, such as "missing-library"."""
    severity: Severity
    """The severity, unless an option overrides it."""
    meaning: str
    """A sentence for the page that lists all kinds."""

    def __post_init__(self) -> None:
        assert _ID.fullmatch(self.id), self.id


@dataclass(frozen=True)
class Finding:
    """Something that a check found about an image."""

    kind: FindingKind
    address: str
    """Address of the target that it concerns, usually a service."""
    place: str
    """What an allowance can name in addition to the kind: a library, a module, a file."""
    text: str
    """What is wrong, in one or more sentences."""
    fix: str
    """What to do next, in one or more sentences; "" if `text` says it."""

    @property
    def id(self) -> str:
        return self.kind.id

    def __str__(self) -> str:
        fix = f" {self.fix}" if self.fix else ""
        return f"{self.address}: {self.text}{fix} [{self.key}]"

    @property
    def key(self) -> str:
        """The key with which an allowance names it."""
        return f"{self.id}:{self.place}" if self.place else self.id


UNUSED_ALLOWANCE = FindingKind(
    "unused-allowance",
    Severity.warning,
    "`allowed_findings` allows something that was not found.",
)


@dataclass(frozen=True)
class Judged:
    """Findings, sorted by what happens to them."""

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    allowed: tuple[Finding, ...]

    @property
    def shown(self) -> tuple[Finding, ...]:
        """The findings that users see."""
        return (*self.errors, *self.warnings)


def check_severities(severities: Mapping[str, str], known: Collection[str]) -> dict[str, Severity]:
    """The value of `[inseam].finding_severities`; raises Failure for an unknown ID or severity."""
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
    """Sorts findings by what happens to them.

    allowances: reasons by "ID" or "ID:PLACE", where PLACE is a glob. severities: by ID, if they
    differ from those of the kinds. address: that of the target with the allowances. complete:
    whether every check has run whose findings they may allow.
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
