"""Finds out of a PEX lock which wheels a set of requirements needs on a platform."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable
from urllib.parse import unquote, urlparse

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from inseam.plan.platform import Platform


class LockError(Exception):
    """A lock that does not answer the question; the text says what is missing and what to do."""


@dataclass(frozen=True)
class LockedWheel:
    """One wheel of a lock: canonical name, version, file name, sha256 in hex."""

    name: str
    version: str
    filename: str
    sha256: str


@dataclass(frozen=True)
class Closure:
    """The wheels that requirements need on a platform, in order of name, and the part of the lock
    that names just these, in PEX's format: all that a process which fetches them depends on."""

    wheels: tuple[LockedWheel, ...]
    lock: bytes


def parse(text: bytes, path: str, resolve: str) -> dict[str, Any]:
    """The JSON of a lock file, without the comment lines that Pants puts on top.

    Raises LockError for anything else than a lock of PEX.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(b"//")]
    try:
        lock = json.loads(b"\n".join(lines))
        lock["locked_resolves"][0]["locked_requirements"]
    except (ValueError, LookupError, TypeError) as error:
        raise LockError(
            f"{path} is no lock file of PEX ({error}). Generate it again: "
            f"./pants generate-lockfiles --resolve={resolve}"
        ) from error
    result: dict[str, Any] = lock
    return result


def closure(
    lock: dict[str, Any], roots: Iterable[str], platform: Platform, *, resolve: str
) -> Closure:
    """The wheels that the requirement strings `roots` need on `platform`.

    Raises LockError for a requirement that the lock lacks or contradicts, and for a distribution
    without a wheel for the platform.
    """
    locked = {
        canonicalize_name(item["project_name"]): item
        for item in lock["locked_resolves"][0]["locked_requirements"]
    }
    refresh = f"Run: ./pants generate-lockfiles --resolve={resolve}"
    rank = {tag: number for number, tag in enumerate(platform.tags())}
    markers = platform.markers()
    seen: dict[str, set[str]] = {}
    queue = [(_requirement(root), "the service") for root in sorted(roots)]
    while queue:
        requirement, wanted_by = queue.pop()
        if not _applies(requirement.marker, markers, ("",)):
            continue
        name = canonicalize_name(requirement.name)
        item = locked.get(name)
        if item is None:
            raise LockError(
                f"the lock of resolve {resolve!r} lacks {requirement.name}, which {wanted_by}"
                f" requires. {refresh}"
            )
        if not requirement.specifier.contains(item["version"], prereleases=True):
            raise LockError(
                f"the lock of resolve {resolve!r} has {name} {item['version']}, but {wanted_by}"
                f" requires {requirement}. {refresh}"
            )
        extras = {"", *requirement.extras}
        if name in seen and extras <= seen[name]:
            continue
        seen[name] = seen.get(name, set()) | extras
        for text in item["requires_dists"]:
            needed = _requirement(text)
            if _applies(needed.marker, markers, seen[name]):
                needed.marker = None
                queue.append((needed, f"{name} {item['version']}"))
    chosen = []
    for name in sorted(seen):
        item = locked[name]
        artifact, filename = _best_wheel(item, rank, platform)
        chosen.append((item, artifact, filename))
    wheels = tuple(
        LockedWheel(
            canonicalize_name(item["project_name"]), item["version"], filename, artifact["hash"]
        )
        for item, artifact, filename in chosen
    )
    return Closure(wheels, _part(lock, chosen))


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise LockError(f"{text!r} is no requirement that a lock can answer: {error}") from error


def _applies(marker: Marker | None, markers: dict[str, str], extras: Iterable[str]) -> bool:
    if marker is None:
        return True
    return any(marker.evaluate({**markers, "extra": extra}) for extra in extras)


def _best_wheel(
    item: dict[str, Any], rank: dict[str, int], platform: Platform
) -> tuple[dict[str, Any], str]:
    best: tuple[int, str, dict[str, Any]] | None = None
    present: set[str] = set()
    for artifact in item["artifacts"]:
        filename = unquote(urlparse(artifact["url"]).path.rsplit("/", 1)[-1])
        if not filename.endswith(".whl"):
            continue
        tags = {str(tag) for tag in parse_wheel_filename(filename)[3]}
        present |= tags
        ranks = [rank[tag] for tag in tags if tag in rank]
        if ranks and (best is None or (min(ranks), filename) < best[:2]):
            best = (min(ranks), filename, artifact)
    name, version = item["project_name"], item["version"]
    if best is None:
        there = f"It has wheels for: {', '.join(sorted(present))}." if present else "It has none."
        raise LockError(
            f"{name} {version} has no wheel for linux/{platform.architecture} with CPython"
            f" {platform.python} and glibc {'.'.join(map(str, platform.glibc))}. {there} Lock a"
            " version that has one, or choose another base."
        )
    if best[2]["algorithm"] != "sha256":
        raise LockError(f"{name} {version} is locked by {best[2]['algorithm']}, not by sha256.")
    return best[2], best[1]


def _part(lock: dict[str, Any], chosen: list[tuple[dict[str, Any], dict[str, Any], str]]) -> bytes:
    """The lock that pins just the chosen wheels and asks for nothing else."""
    requirements = [
        {**item, "artifacts": [artifact], "requires_dists": []} for item, artifact, _ in chosen
    ]
    first = {**lock["locked_resolves"][0], "locked_requirements": requirements}
    part = {
        **lock,
        "locked_resolves": [first],
        "requirements": [f"{item['project_name']}=={item['version']}" for item, _, _ in chosen],
        "constraints": [],
    }
    return json.dumps(part, sort_keys=True, indent=1).encode()
