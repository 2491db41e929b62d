"""Finds out of a lock which distributions a set of requirements needs on a platform."""

from __future__ import annotations

import fnmatch
import re
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Iterable, Mapping, Sequence

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.plan.artifacts import Locked, LockedSource, choose
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Distribution, Part, PythonLock


@dataclass(frozen=True)
class Closure:
    """What requirements need.

    locked: an artifact of each distribution, in order of name; empty as long as there are unread
    ones. required_by: for each name, what requires it, beginning with what nothing in the lock
    requires: ("the service", "app 1.0"). unread: distributions that are needed, and of which the
    lock does not say what they require: `PythonLock.completed` is told what their wheels say.
    left_out: names of distributions that are needed, but not to be had, and of what only they need.
    """

    locked: tuple[Locked, ...]
    required_by: Mapping[str, tuple[str, ...]]
    unread: tuple[Distribution, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[LockedSource, ...]:
        """The distributions without a wheel that fits."""
        return tuple(item for item in self.locked if isinstance(item, LockedSource))


def closure(
    lock: PythonLock,
    roots: Iterable[str],
    platform: PythonPlatform,
    leave_out: Sequence[str] = (),
) -> Closure:
    """The wheels, and sources where no wheel fits, that the requirement strings `roots` need on
    `platform`.

    leave_out: globs over the names of distributions that are not to be had; one that starts with
    `!` names exceptions. What these distributions require is not needed for their sake.

    Raises Failure for a requirement that the lock lacks or contradicts, and for a distribution
    with neither a wheel for the platform nor a source.
    """
    locked = _by_name(lock, platform)
    roots = tuple(roots)
    required_by, skipped = _walk(lock, locked, roots, platform, leave_out)
    unread = tuple(locked[name] for name in sorted(required_by) if locked[name].needs is None)
    if unread:
        return Closure((), required_by, unread)
    left_out = skipped
    if skipped:
        with suppress(Failure):  # Of what nobody gets, nothing has to be right.
            left_out = set(_walk(lock, locked, roots, platform, ())[0]) - set(required_by)
    rank = _rank(platform)
    found = tuple(choose(locked[name], rank, platform) for name in sorted(required_by))
    return Closure(found, required_by, left_out=tuple(sorted(left_out)))


def is_left_out(name: str, patterns: Sequence[str]) -> bool:
    """Whether the globs leave out the distribution with this canonical name, and none that starts
    with `!` keeps it."""
    wanted = [pattern.lower().replace("_", "-") for pattern in patterns]
    if any(fnmatch.fnmatchcase(name, pattern[1:]) for pattern in wanted if pattern[:1] == "!"):
        return False
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in wanted)


def _walk(
    lock: PythonLock,
    locked: Mapping[str, Distribution],
    roots: Iterable[str],
    platform: PythonPlatform,
    leave_out: Sequence[str],
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """What requires each of the needed distributions, as `Closure.required_by`; and those that are
    left out."""
    markers = platform.markers()
    seen: dict[str, set[str]] = {}
    skipped: set[str] = set()
    needed_roots = [_requirement(root) for root in sorted(roots)]
    start: tuple[str, ...] = ("the service",)
    # In the order of the distance, so that each is known by the shortest way to it.
    queue = deque((root, start) for root in needed_roots if _applies(root.marker, markers))
    required_by: dict[str, tuple[str, ...]] = {}
    while queue:
        requirement, chain = queue.popleft()
        wanted_by = chain[-1]
        name = canonicalize_name(requirement.name)
        if is_left_out(name, leave_out):
            skipped.add(name)
            continue
        item = locked.get(name)
        if item is None:
            raise Failure(
                f"{lock.name} does not contain {requirement.name}{_elsewhere(lock, name)}, which"
                f" {wanted_by} requires. {lock.refresh}"
            )
        if item.version and not requirement.specifier.contains(item.version, prereleases=True):
            raise Failure(
                f"{lock.name} contains {name} {item.version}, but {wanted_by} requires"
                f" {requirement}. {lock.refresh}"
            )
        required_by.setdefault(name, chain)
        extras = {"", *requirement.extras}
        if name in seen and extras <= seen[name]:
            continue
        seen[name] = seen.get(name, set()) | extras
        for text in item.needs or ():
            needed = _requirement(text)
            if _applies(needed.marker, markers, seen[name]):
                queue.append((needed, (*chain, f"{name} {item.version}".strip())))
    return required_by, skipped


def matching(lock: PythonLock, pattern: str, platform: PythonPlatform) -> tuple[Distribution, ...]:
    """All distributions in the lock whose name matches the glob `pattern`, in order of name; raises
    Failure if there is none."""
    locked = _by_name(lock, platform)
    names = fnmatch.filter(sorted(locked), pattern.lower().replace("_", "-"))
    if not names:
        raise Failure(
            f"no distribution in {lock.name} matches {pattern!r}. Correct the glob, or add the"
            " requirement and generate the lock again."
        )
    return tuple(locked[name] for name in names)


def reachable(
    lock: PythonLock, roots: Iterable[str], globs: Iterable[str] = ()
) -> tuple[Distribution, ...]:
    """All distributions that the requirement strings `roots`, and those whose names match `globs`,
    may need on any platform. One of which the lock does not say what it requires may need any."""
    items: dict[str, list[Distribution]] = {}
    for part in lock.parts:
        for item in part.distributions:
            items.setdefault(canonicalize_name(item.name), []).append(item)
    wanted = [glob.lower().replace("_", "-") for glob in globs]
    queue: list[str] = [canonicalize_name(_requirement(root).name) for root in roots]
    queue += [name for glob in wanted for name in fnmatch.filter(items, glob)]
    seen: set[str] = set()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for item in items.get(name, ()):
            if item.needs is None:
                queue += items
            else:
                queue += [canonicalize_name(_requirement(text).name) for text in item.needs]
    return tuple(item for name in sorted(seen) for item in items.get(name, ()))


def chosen(item: Distribution, platform: PythonPlatform) -> Locked:
    """The artifact of a distribution that `platform` takes, as `choose` says."""
    return choose(item, _rank(platform), platform)


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


@cache
def _rank(platform: PythonPlatform) -> Mapping[str, int]:
    """The platform's tags with their places, best first."""
    return {tag: number for number, tag in enumerate(platform.tags())}


def _by_name(lock: PythonLock, platform: PythonPlatform) -> dict[str, Distribution]:
    """The distributions, by name, of the part of the lock that is for the platform."""
    part = _part(lock, platform)
    markers = platform.markers()
    found: dict[str, Distribution] = {}
    for item in part.distributions:
        if not _any_applies(item.markers, markers):
            continue
        name = canonicalize_name(item.name)
        other = found.setdefault(name, item)
        if other is not item:
            raise Failure(
                f"{lock.name} has {other} and {item} for one platform, {platform}: their markers"
                f" ({_shown(other.markers)}; {_shown(item.markers)}) are both true. {lock.refresh}"
            )
    return found


def _part(lock: PythonLock, platform: PythonPlatform) -> Part:
    for part in lock.parts:
        if _any_applies(part.markers, platform.markers()):
            return part
    raise Failure(
        f"{lock.name} is not for linux/{platform.architecture} with CPython {platform.python}."
        " Correct what it was made for and generate it again, or choose another base."
    )


def _elsewhere(lock: PythonLock, name: str) -> str:
    """Says of a distribution that is missing for one platform that it is there for others."""
    for part in lock.parts:
        for item in part.distributions:
            if item.markers and canonicalize_name(item.name) == name:
                return f" for this platform ({item} is for: {_shown(item.markers)})"
    return ""


def _shown(markers: Iterable[str]) -> str:
    return " or ".join(markers) or "none"


def _any_applies(texts: tuple[str, ...], markers: dict[str, str]) -> bool:
    return not texts or any(_applies(_marker(text), markers) for text in texts)


@cache
def _marker(text: str) -> Marker:
    return Marker(text)


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
