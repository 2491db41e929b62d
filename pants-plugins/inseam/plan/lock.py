"""Finds the distributions in a lock that a set of requirements needs on a platform."""

from __future__ import annotations

import fnmatch
import re
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Iterable, Iterator, Mapping, NamedTuple, Sequence

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.plan.artifacts import Locked, LockedSource, choose
from inseam.plan.lock_values import LONGEST_TEXT
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Distribution, Part, PythonLock
from inseam.plan.required_by import START, RequiredBy

# The only use of `extra` that build tools write.
_EXTRA = re.compile(r"""\bextra == ["']([^"']*)["']""")


class OutOfDate(Failure):
    """A lock does not contain what is required."""

    problem: str
    """What it does not contain, as a sentence that does not say what to do about it."""

    def __init__(self, lock: PythonLock, problem: str) -> None:
        super().__init__(f"{problem} {lock.refresh}")
        self.problem = problem


@dataclass(frozen=True)
class WheelClosure:
    """The distributions that requirements need."""

    locked: tuple[Locked, ...]
    """An artifact of each distribution, sorted by name; empty as long as there are unread
    distributions.
    """
    required_by: Mapping[str, tuple[str, ...]]
    """For each name, the chain of requirements that leads to it, such as ("the service", "app
    1.0").
    """
    unread: tuple[Distribution, ...] = ()
    """Needed distributions whose requirements are not in the lock. Read them from their wheels, and
    pass them to `PythonLock.completed`.
    """
    left_out: tuple[str, ...] = ()
    """Names of needed distributions that are left out, and of those that only these need."""

    @property
    def sources(self) -> tuple[LockedSource, ...]:
        """The distributions without a compatible wheel."""
        return tuple(item for item in self.locked if isinstance(item, LockedSource))


def closure(
    lock: PythonLock,
    roots: Iterable[str],
    platform: PythonPlatform,
    leave_out: Sequence[str] = (),
) -> WheelClosure:
    """The wheels, or sources if no wheel is compatible, that the requirement strings `roots` need
    on `platform`.

    leave_out: globs for names of distributions to leave out, together with what only they require;
    one that starts with `!` names exceptions.

    Raises Failure for a requirement that the lock lacks or contradicts, and for a distribution
    with neither a wheel for the platform nor a source.
    """
    locked = _by_name(lock, platform)
    roots = tuple(roots)
    required_by, skipped = _walk(lock, locked, roots, platform, leave_out)
    unread = tuple(locked[name] for name in sorted(required_by) if locked[name].needs is None)
    if unread:
        return WheelClosure((), required_by, unread)
    left_out = skipped
    if skipped:
        with suppress(Failure):  # Distributions that are left out need not resolve.
            left_out = set(_walk(lock, locked, roots, platform, ())[0]) - set(required_by)
    rank = _rank(platform)
    found = tuple(choose(locked[name], rank, platform) for name in sorted(required_by))
    return WheelClosure(found, required_by, left_out=tuple(sorted(left_out)))


def is_left_out(name: str, patterns: Sequence[str]) -> bool:
    """Whether a glob leaves out the distribution with this canonical name, and none that starts
    with `!` keeps it.
    """
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
) -> tuple[RequiredBy, set[str]]:
    """What requires each of the needed distributions, and which distributions are left out."""
    markers = platform.markers()
    skipped: set[str] = set()
    required_by = RequiredBy()
    seen: dict[str, set[str]] = {}
    needs: dict[str, _Needs] = {}
    # In order of distance, so that each distribution is found by the shortest chain. With each
    # requirement is the canonical name and the label of the distribution that has it.
    queue = deque(
        (root, "", START)
        for root in map(_requirement, sorted(roots))
        if _applies(root.marker, markers)
    )
    while queue:
        requirement, by, label = queue.popleft()
        name = canonicalize_name(requirement.name)
        if is_left_out(name, leave_out):
            skipped.add(name)
            continue
        item = locked.get(name)
        if item is None:
            raise OutOfDate(
                lock,
                f"{lock.name} does not contain {requirement.name}{_elsewhere(lock, name)}, which"
                f" {label} requires.",
            )
        if item.version and not _contains(requirement, item.version):
            raise OutOfDate(
                lock,
                f"{lock.name} contains {name} {item.version}, but {label} requires"
                f" {foreign_word(str(requirement))[1:-1]}.",
            )
        required_by.add(name, by, label)
        known = seen.setdefault(name, set())
        new = {"", *map(canonicalize_name, requirement.extras)} - known
        known |= new
        if new and name not in needs:
            needs[name] = _Needs.of(item)
        for needed in needs[name].with_extras(new) if new else ():
            if _applies(needed.marker, markers, new):
                queue.append((needed, name, f"{name} {item.version}".strip()))
    return required_by, skipped


class _Needs(NamedTuple):
    """The requirements of a distribution, grouped by the extra in their markers, so that each is
    evaluated once, however many extras are requested one after the other.
    """

    always: tuple[Requirement, ...]
    """Those whose markers name no extra."""
    by_extra: Mapping[str, Sequence[Requirement]]
    """Those whose markers name one extra, by its canonical name."""
    others: tuple[Requirement, ...]
    """Those whose markers must be evaluated for each extra."""

    @staticmethod
    def of(item: Distribution) -> _Needs:
        """Groups the requirements of a distribution."""
        always: list[Requirement] = []
        others: list[Requirement] = []
        by_extra: dict[str, list[Requirement]] = {}
        for requirement in map(_requirement, item.needs or ()):
            text = str(requirement.marker or "")
            named = _EXTRA.findall(text)
            if "extra" not in text:
                always.append(requirement)
            elif len(named) == 1 and text.count("extra") == 1:
                by_extra.setdefault(canonicalize_name(named[0]), []).append(requirement)
            else:
                others.append(requirement)
        return _Needs(tuple(always), by_extra, tuple(others))

    def with_extras(self, extras: set[str]) -> Iterator[Requirement]:
        """Those that the extras may need, in a fixed order; the extra "" stands for none."""
        if "" in extras:
            yield from self.always
        for extra in sorted(extras):
            yield from self.by_extra.get(extra, ())
        yield from self.others


def _contains(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(version, prereleases=True)
    except ValueError:  # a version of thousands of digits
        raise Failure(
            f"{foreign_word(str(requirement))} has no usable version, which {version} could be"
            " compared with"
        ) from None


def matching(lock: PythonLock, pattern: str, platform: PythonPlatform) -> tuple[Distribution, ...]:
    """All distributions in the lock whose names match the glob `pattern`, sorted by name; raises
    Failure if there are none.
    """
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
    """All distributions that the requirement strings `roots`, and distributions whose names match
    `globs`, may need on any platform. If the lock does not say what one of them requires, it may
    need all others.
    """
    items: dict[str, list[Distribution]] = {}
    for part in lock.parts:
        for item in part.distributions:
            items.setdefault(canonicalize_name(item.name), []).append(item)
    wanted = [glob.lower().replace("_", "-") for glob in globs]
    queue: list[str] = [canonicalize_name(_requirement(root).name) for root in roots]
    queue += [name for glob in wanted for name in fnmatch.filter(items, glob)]
    seen: set[str] = set()
    items_left: Iterable[str] = tuple(items)
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for item in items.get(name, ()):
            if item.needs is None:
                queue += items_left
                items_left = ()
            else:
                queue += [canonicalize_name(_requirement(text).name) for text in item.needs]
    return tuple(item for name in sorted(seen) for item in items.get(name, ()))


def chosen(item: Distribution, platform: PythonPlatform) -> Locked:
    """The artifact of a distribution to use on `platform`; see `choose`."""
    return choose(item, _rank(platform), platform)


def is_index_neutral(url: str, mappings: Iterable[str]) -> bool:
    """Whether a URL in a lock starts with a path mapping that has no value here. The file can then
    be found in any package index, by name and hash.
    """
    known = {mapping.partition("|")[0] for mapping in mappings}
    match = re.match(r"https:/\$\{(\w+)\}/packages/", url)
    return match is not None and match[1] not in known


def resolve_url(url: str, mappings: Iterable[str]) -> str:
    """A URL from a lock, with the names of path mappings (`NAME|PATH`) replaced with their paths.

    PEX writes `https:/${INDEX}/packages/...` if `INDEX|/host` is mapped.
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
    """The position of each of the platform's tags, best first."""
    return {tag: number for number, tag in enumerate(platform.tags())}


def _by_name(lock: PythonLock, platform: PythonPlatform) -> dict[str, Distribution]:
    """The distributions, by name, in the part of the lock that is for the platform."""
    part = _part(lock, platform)
    markers = platform.markers()
    found: dict[str, Distribution] = {}
    for item in part.distributions:
        if not _any_applies(item.markers, markers):
            continue
        name = canonicalize_name(item.name)
        other = found.setdefault(name, item)
        if other is not item:
            raise OutOfDate(
                lock,
                f"{lock.name} has {other} and {item} for one platform, {platform}: their markers"
                f" ({_shown(other.markers)}; {_shown(item.markers)}) are both true.",
            )
    return found


def _part(lock: PythonLock, platform: PythonPlatform) -> Part:
    for part in lock.parts:
        if _any_applies(part.markers, platform.markers()):
            return part
    raise Failure(
        f"{lock.name} is not for linux/{platform.architecture} with CPython"
        f" {platform.python_full_version}. Correct what it was made for and generate it again, or"
        " choose another base."
    )


def _elsewhere(lock: PythonLock, name: str) -> str:
    """Says that a distribution that is missing for one platform exists for others."""
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


# Many services have the same requirements, and parsing one takes a millisecond.
@cache
def _requirement(text: str) -> Requirement:
    try:
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"it has more than {LONGEST_TEXT} characters")
        return Requirement(text)
    except (ValueError, RecursionError) as error:
        raise Failure(
            f"{foreign_word(text)} is not a requirement that can be looked up in a lock:"
            f" {foreign_word(str(error))[1:-1]}"
        ) from None


def _applies(marker: Marker | None, markers: dict[str, str], extras: Iterable[str] = ("",)) -> bool:
    """Whether the marker is true with one of the extras, in any of the spellings that are equal
    according to PEP 685.
    """
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
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError) as error:
        raise Failure(
            f"the marker {foreign_word(str(marker))} in the lock cannot be evaluated:"
            f" {foreign_word(str(error))[1:-1]}"
        ) from None
