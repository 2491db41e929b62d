"""Resolves Debian packages to the closure of their dependencies (Debian policy chapter 7)."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Collection, Iterable, Mapping, Sequence

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import IndexEntry
from inseam.formats.debian.relations import Relation, parse_provides, parse_relations

Providers = Mapping[str, "list[tuple[str, str]]"]

_LONGEST_CHAIN = 12  # number of packages that an error names
_PYTHON = re.compile(r"(lib)?python3\.\d+-(minimal|stdlib)\Z")


@dataclass(frozen=True)
class PackageClosure:
    """Packages with everything that they depend on."""

    packages: Mapping[str, IndexEntry]
    """The packages, sorted by name."""
    left_out: frozenset[str]
    """Names that are left out although a package depends on them."""


def resolve(
    roots: Iterable[str],
    candidates: Mapping[str, IndexEntry],
    omit: Collection[str] = (),
    providers: Providers | None = None,
) -> PackageClosure:
    """The roots and everything that they depend on, without the packages named in `omit`.

    candidates: the version of each package that may be chosen, by name.
    omit: names that count as installed, including the names that they provide, as renamed libraries
        do. A dependency that one of them satisfies adds nothing, unless the package is a library
        and the dependent is not Python: the standard library leaves out modules whose libraries are
        missing, but programs cannot start without a library.
    providers: those of the candidates, if they are already known.

    Of several alternatives, one that is already chosen is used, otherwise the first that exists.

    Roots are added, and their dependencies followed, in sorted order, so that the result depends
    only on the sets. Raises DebianError, naming the chain of packages, for a dependency that cannot
    be satisfied.
    """
    providers = providers_of(candidates) if providers is None else providers
    resolver = _Resolver(candidates, omit, providers)
    for root in sorted(set(roots)):
        resolver.take_root(root)
    resolver.walk()
    packages = {name: resolver.chosen[name] for name in sorted(resolver.chosen)}
    return PackageClosure(packages, frozenset(resolver.left_out))


class _Resolver:
    """Adds packages, breadth first, until all their dependencies are satisfied."""

    def __init__(
        self, candidates: Mapping[str, IndexEntry], omit: Collection[str], providers: Providers
    ) -> None:
        self.chosen: dict[str, IndexEntry] = {}
        self.left_out: set[str] = set()
        self._candidates = candidates
        self._omit = omit
        self._providers = providers
        self._wanted_by: dict[str, str] = {}
        self._queue: deque[str] = deque()

    def take_root(self, name: str) -> None:
        if name not in self._candidates:
            raise DebianError(f"this release has no package {name}; correct the list")
        if name in self._omit:
            raise DebianError(
                f"the package {name} is both listed and left out: remove the line `{name} = ...`"
                f" from [omit] of the list of packages, or {name} from its group"
            )
        self._take(name, "")

    def walk(self) -> None:
        """Satisfies the dependencies of all packages, including those that this adds."""
        while self._queue:
            name = self._queue.popleft()
            for dependency in parse_relations(self._candidates[name].depends):
                self._satisfy(name, dependency)

    def _take(self, name: str, by: str) -> None:
        if name not in self.chosen:
            self.chosen[name] = self._candidates[name]
            self._wanted_by[name] = by
            self._queue.append(name)

    def _satisfy(self, name: str, dependency: Sequence[Relation]) -> None:
        """Satisfies a dependency of the package `name` with one of its alternatives."""
        satisfying = [
            _satisfying(alternative, self._candidates, self._providers)
            for alternative in dependency
        ]
        usable = [found for group in satisfying for found in group]
        if any(found in self.chosen for found in usable):
            return
        omitted = self._omitted(name, {*(one.name for one in dependency), *usable})
        if omitted:
            self.left_out |= omitted
        elif usable:
            self._take(usable[0], name)
        else:
            raise DebianError(
                f"{_chain(name, self._wanted_by)} needs {' | '.join(map(str, dependency))}, which"
                " this release does not have; correct the list, or leave it out in [omit]"
            )

    def _omitted(self, name: str, alternatives: Iterable[str]) -> set[str]:
        """Those of the alternatives, and of the names that they provide, that are left out and that
        the package `name` does not need.
        """
        return {
            named
            for found in alternatives
            for named in (found, *_provided(self._candidates.get(found)))
            if named in self._omit
            and (_PYTHON.match(name) or not _is_library(found, self._candidates))
        }


def _is_library(name: str, candidates: Mapping[str, IndexEntry]) -> bool:
    return name in candidates and candidates[name].section.split("/")[-1] == "libs"


def _provided(entry: IndexEntry | None) -> list[str]:
    """The names that a package provides with its own version, such as its former names."""
    if entry is None:
        return []
    return [provided.name for provided in parse_provides(entry.provides) if provided.version]


def providers_of(candidates: Mapping[str, IndexEntry]) -> Providers:
    """Maps each virtual name to (provider, provided version or ""), sorted by provider."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(candidates):
        for provided in parse_provides(candidates[name].provides):
            found.setdefault(provided.name, []).append((name, provided.version))
    return found


def _satisfying(
    wanted: Relation,
    candidates: Mapping[str, IndexEntry],
    providers: Providers,
) -> list[str]:
    """Names of the packages that satisfy a relation, the real one first.

    Only a versioned Provides satisfies a versioned relation (policy 7.5).
    """
    found: dict[str, None] = {}  # a set in order
    real = candidates.get(wanted.name)
    if real is not None and wanted.allows(real.version):
        found[real.name] = None
    for name, version in providers.get(wanted.name, ()):
        if name not in found and (not wanted.relation or (version and wanted.allows(version))):
            found[name] = None
    return [*found]


def _chain(name: str, wanted_by: Mapping[str, str]) -> str:
    names = [name]
    while wanted_by.get(names[-1]):
        names.append(wanted_by[names[-1]])
    if len(names) > _LONGEST_CHAIN:
        names[_LONGEST_CHAIN - 1 : -1] = ["..."]
    return " -> ".join(reversed(names))
