"""Compares a lock of Debian packages with the current archive: updates and dropped packages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from inseam.formats.debian.archive import SECURITY_ARCHIVE
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import Index, IndexEntry, newest
from inseam.formats.debian.lock import DebianLock
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.sources import MIRROR, Sources
from inseam.formats.debian.suite import Suite
from inseam.formats.debian.version import sort_key
from inseam.formats.download import Unreachable

REPORTS_FILE = "check.json"

# Number of simultaneous requests to one mirror.
_AT_ONCE = 8
# Exit codes that tell bots what to do. If both apply, they are added.
UPDATES, GONE = 2, 4


@dataclass(frozen=True)
class Available:
    """A version in the archive, and the suite whose index lists it."""

    version: str
    suite: str


@dataclass(frozen=True)
class Update:
    """A locked package for which the archive has a newer version."""

    name: str
    locked: str
    architectures: tuple[str, ...]
    newest: Available
    """The newest version in all suites."""
    security: Available | None
    """The newest in the security archive; None if it is not newer than the locked version."""


@dataclass(frozen=True)
class GonePackage:
    """A locked package that no mirror has any more."""

    name: str
    version: str
    architecture: str
    path: str
    source: str | None
    """The source that still has it, "vendor" or "snapshot"; None if there is none."""


@dataclass(frozen=True)
class LockReport:
    """A report about a lock."""

    lock: str
    release: str
    suites: tuple[Suite, ...]
    """The current indexes."""
    packages: int
    updates: tuple[Update, ...]
    gone: tuple[GonePackage, ...]

    @property
    def exit_code(self) -> int:
        """UPDATES if there are security updates, plus GONE if a package has no source any more."""
        updates = any(update.security for update in self.updates)
        gone = any(package.source is None for package in self.gone)
        return UPDATES * updates + GONE * gone


def check_lock(
    path: str, lock: DebianLock, index: Index, sources: Sources, exists: Callable[[str], bool]
) -> LockReport:
    """Compares the lock at `path` with the index of its release.

    exists: whether a URL exists; raises Unreachable. Raises DebianError if a mirror does not
    answer.
    """
    packages = {locked.package for found in lock.packages.values() for locked in found}
    return LockReport(
        path,
        lock.request.release,
        index.suites,
        len(packages),
        _updates(lock, index),
        _gone(sorted(packages, key=lambda one: (one.name, one.architecture)), sources, exists),
    )


def _updates(lock: DebianLock, index: Index) -> tuple[Update, ...]:
    found: dict[tuple[str, str, Available, Available | None], list[str]] = {}
    for architecture, packages in sorted(lock.packages.items()):
        entries = index.packages[architecture]
        best = newest(entries)
        fixes = newest(one for one in entries if one.package.archive == SECURITY_ARCHIVE)
        for locked in packages:
            package = locked.package
            latest = _newer(package, best.get(package.name))
            if latest is not None:
                fix = _newer(package, fixes.get(package.name))
                key = package.name, package.version, latest, fix
                found.setdefault(key, []).append(architecture)
    return tuple(
        Update(name, version, tuple(architectures), latest, fix)
        for (name, version, latest, fix), architectures in sorted(
            found.items(), key=lambda item: item[0][:2]
        )
    )


def _newer(package: DebianPackage, entry: IndexEntry | None) -> Available | None:
    if entry is None or sort_key(entry.version) <= sort_key(package.version):
        return None
    return Available(entry.version, entry.suite)


def _gone(
    packages: Sequence[DebianPackage], sources: Sources, exists: Callable[[str], bool]
) -> tuple[GonePackage, ...]:
    def source_of(package: DebianPackage) -> str | None:
        """The kind of the first source that has the package; mirrors come first."""
        urls = sources.urls(package)
        for kind in sorted(urls, key=lambda kind: kind != MIRROR):
            failures = []
            for url in urls[kind]:
                try:
                    if exists(url):
                        return kind
                except Unreachable as error:
                    failures.append(str(error))
            if failures:
                raise DebianError(f"{package}: " + "\n  ".join(failures))
        return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(source_of, packages))
    return tuple(
        GonePackage(package.name, package.version, package.architecture, package.path, source)
        for package, source in zip(packages, found)
        if source != MIRROR
    )


def dump_reports(reports: Iterable[LockReport]) -> str:
    """The text of a JSON file: `{"locks": [...]}`, with the fields of the classes above."""
    return json.dumps({"locks": [asdict(report) for report in reports]}, indent=2) + "\n"


def load_reports(text: str) -> tuple[LockReport, ...]:
    """Reads what `dump_reports` writes."""
    return tuple(
        LockReport(
            report["lock"],
            report["release"],
            tuple(Suite(**suite) for suite in report["suites"]),
            report["packages"],
            tuple(
                Update(
                    update["name"],
                    update["locked"],
                    tuple(update["architectures"]),
                    Available(**update["newest"]),
                    Available(**update["security"]) if update["security"] else None,
                )
                for update in report["updates"]
            ),
            tuple(GonePackage(**package) for package in report["gone"]),
        )
        for report in json.loads(text)["locks"]
    )


def describe(report: LockReport, how_to_lock: str) -> str:
    """The report as lines of text. how_to_lock: how to lock the newest versions."""
    lines = [f"{report.lock}: {report.packages} packages of {report.release}"]
    for update in report.updates:
        available = update.security or update.newest
        kind = "security update" if update.security else "update"
        text = f"{update.name} {update.locked} -> {available.version} ({available.suite})"
        if update.newest.version != available.version:
            text += f", newest {update.newest.version} ({update.newest.suite})"
        lines.append(f"  {kind}: {text} [{', '.join(update.architectures)}]")
    for package in report.gone:
        where = f"the {package.source} has it" if package.source else "nothing has it any more"
        named = f"{package.name} {package.version} [{package.architecture}]"
        lines.append(f"  gone from the mirrors: {named}: {where}")
    if len(lines) == 1:
        lines.append("  up to date")
    else:
        lines.append(f"  {how_to_lock}")
    return "\n".join(lines)
