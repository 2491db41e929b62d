"""Finds out of a PEX lock which distributions a set of requirements needs on a platform."""

from __future__ import annotations

import fnmatch
import json
import re
from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any, Iterable, Mapping

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.plan.artifacts import Locked, LockedSource, choose
from inseam.plan.pex_lock import check_lock
from inseam.plan.platform import PythonPlatform


@dataclass(frozen=True)
class Closure:
    """What requirements need.

    locked: an artifact of each distribution, in order of name. required_by: for each name, what
    requires it, beginning with what nothing in the lock requires: ("the service", "app 1.0").
    """

    locked: tuple[Locked, ...]
    required_by: Mapping[str, tuple[str, ...]]

    @property
    def sources(self) -> tuple[LockedSource, ...]:
        """The distributions without a wheel that fits."""
        return tuple(item for item in self.locked if isinstance(item, LockedSource))


def parse(text: bytes, path: str, resolve: str) -> dict[str, Any]:
    """The JSON of a lock file, without the comment lines that Pants puts on top.

    Raises Failure for anything else than a lock of PEX, as `check_lock` does.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith(b"//")]
    try:
        lock = json.loads(b"\n".join(lines))
    except (ValueError, RecursionError) as error:
        raise Failure(
            f"{path} is not a PEX lock file: it is not JSON ({error}). Generate it again:"
            f" ./pants generate-lockfiles --resolve={resolve}"
        ) from error
    return check_lock(lock, path, resolve)


def closure(
    lock: dict[str, Any], roots: Iterable[str], platform: PythonPlatform, *, resolve: str
) -> Closure:
    """The wheels, and sources where no wheel fits, that the requirement strings `roots` need on
    `platform`.

    Raises Failure for a requirement that the lock lacks or contradicts, and for a distribution
    with neither a wheel for the platform nor a source.
    """
    locked = _by_name(lock, platform, resolve)
    refresh = f"Run: ./pants generate-lockfiles --resolve={resolve}"
    rank = {tag: number for number, tag in enumerate(platform.tags())}
    markers = platform.markers()
    seen: dict[str, set[str]] = {}
    needed_roots = [_requirement(root) for root in sorted(roots)]
    start: tuple[str, ...] = ("the service",)
    # In the order of the distance, so that each is known by the shortest way to it.
    queue = deque((root, start) for root in needed_roots if _applies(root.marker, markers))
    required_by: dict[str, tuple[str, ...]] = {}
    while queue:
        requirement, chain = queue.popleft()
        wanted_by = chain[-1]
        name = canonicalize_name(requirement.name)
        item = locked.get(name)
        if item is None:
            raise Failure(
                f"the lock of resolve {resolve!r} does not contain {requirement.name}, which"
                f" {wanted_by} requires. {refresh}"
            )
        if not requirement.specifier.contains(item["version"], prereleases=True):
            raise Failure(
                f"the lock of resolve {resolve!r} contains {name} {item['version']}, but"
                f" {wanted_by} requires {requirement}. {refresh}"
            )
        required_by.setdefault(name, chain)
        extras = {"", *requirement.extras}
        if name in seen and extras <= seen[name]:
            continue
        seen[name] = seen.get(name, set()) | extras
        for text in item["requires_dists"]:
            needed = _requirement(text)
            if _applies(needed.marker, markers, seen[name]):
                queue.append((needed, (*chain, f"{name} {item['version']}")))
    found = tuple(choose(locked[name], rank, platform) for name in sorted(seen))
    return Closure(found, required_by)


def matching(
    lock: dict[str, Any], pattern: str, platform: PythonPlatform, *, resolve: str
) -> tuple[Locked, ...]:
    """The wheels, and sources where no wheel fits, of all distributions in the lock whose name
    matches the glob `pattern`, in order of name; raises Failure if there is none, or one with
    neither."""
    locked = _by_name(lock, platform, resolve)
    names = fnmatch.filter(sorted(locked), pattern.lower().replace("_", "-"))
    if not names:
        raise Failure(
            f"no distribution in the lock of resolve {resolve!r} matches {pattern!r}. Correct the"
            " glob, or add the requirement and generate the lock again."
        )
    rank = {tag: number for number, tag in enumerate(platform.tags())}
    return tuple(choose(locked[name], rank, platform) for name in names)


def is_index_neutral(url: str, mappings: Iterable[str]) -> bool:
    """Whether a URL of a lock starts with the name of a path mapping that has no value here: the
    file is in any package index, by its name and hash."""
    known = {mapping.partition("|")[0] for mapping in mappings}
    match = re.match(r"https:/\$\{(\w+)\}/packages/", url)
    return match is not None and match[1] not in known


def resolve_url(url: str, mappings: Iterable[str]) -> str:
    """A URL of a lock with the names of path mappings, `NAME|PATH`, replaced by their paths.

    PEX writes `https:/${INDEX}/packages/...` where `INDEX|/host` is mapped.
    """
    for mapping in mappings:
        name, _, rest = mapping.partition("|")
        url = url.replace("${" + name + "}", rest.partition("|")[0].rstrip("/"))
    if "${" in url:
        raise Failure(
            "${"
            + url.partition("${")[2].partition("}")[0]
            + "} in the URLs of the lock has no value."
            " Start Pants as ./pants, or set [python-repos].path_mappings."
        )
    return url


def _by_name(
    lock: dict[str, Any], platform: PythonPlatform, resolve: str
) -> dict[str, dict[str, Any]]:
    """The locked requirements, by name, of the part of the lock that is for the platform."""
    for part in lock["locked_resolves"]:
        if _applies(Marker(part["marker"]) if part.get("marker") else None, platform.markers()):
            return {
                canonicalize_name(item["project_name"]): item
                for item in part["locked_requirements"]
            }
    raise Failure(
        f"the lock of resolve {resolve!r} is not for linux/{platform.architecture} with CPython"
        f" {platform.python}. Correct its interpreter constraints and generate it again, or choose"
        " another base."
    )


# Many services need the same, and it takes a millisecond to understand each.
@cache
def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        raise Failure(
            f"{text!r} is not a requirement that can be looked up in a lock: {error}"
        ) from error


def _applies(marker: Marker | None, markers: dict[str, str], extras: Iterable[str] = ("",)) -> bool:
    """Whether the marker is true with one of the extras, which may be spelled in any of the ways
    that PEP 685 holds to be equal."""
    if marker is None:
        return True
    spelled = {
        spelling
        for extra in extras
        for name in (canonicalize_name(extra),)
        for spelling in (extra, name, name.replace("-", "_"), name.replace("-", "."))
    }
    try:
        return any(marker.evaluate({**markers, "extra": extra}) for extra in sorted(spelled))
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise Failure(f"the marker `{marker}` in the lock cannot be evaluated: {error}") from error
