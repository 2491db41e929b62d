"""Resolves Debian packages to the closure of their dependencies (Debian policy chapter 7)."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Collection, Iterable, Mapping

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import IndexEntry
from inseam.formats.debian.relations import Relation, parse_provides, parse_relations

Providers = Mapping[str, "list[tuple[str, str]]"]

_LONGEST_CHAIN = 12  # packages that an error names
_PYTHON = re.compile(r"(lib)?python3\.\d+-(minimal|stdlib)\Z")


@dataclass(frozen=True)
class Closure:
    """packages: by name, sorted. omitted: names left out that some package of it wants."""

    packages: Mapping[str, IndexEntry]
    omitted: frozenset[str]


def resolve(
    roots: Iterable[str],
    candidates: Mapping[str, IndexEntry],
    omit: Collection[str] = (),
    providers: Providers | None = None,
) -> Closure:
    """The roots and all that they depend on, without the packages named in `omit`.

    candidates: by name, the one version of each package that may be taken.
    omit: names that count as there, also under a name that they provide, as libraries do that were
        renamed. A dependency that one of them satisfies adds nothing, unless that is a library and
        what depends on it is not Python: only the standard library can do without (its modules
        follow the libraries that are there), programs cannot start.

    Of several alternatives, one that is there already is taken, else the first that can be had.
    providers: those of the candidates, where they are known already.

    Roots are taken, and their dependencies walked, in sorted order, so that the result depends on
    the sets only. Raises DebianError, naming the chain of packages, for what cannot be satisfied.
    """
    providers = providers_of(candidates) if providers is None else providers
    chosen: dict[str, IndexEntry] = {}
    wanted_by: dict[str, str] = {}
    omitted: set[str] = set()
    queue: deque[str] = deque()

    def take(name: str, by: str) -> None:
        if name not in chosen:
            chosen[name] = candidates[name]
            wanted_by[name] = by
            queue.append(name)

    for root in sorted(set(roots)):
        if root not in candidates:
            raise DebianError(f"this release has no package {root}; correct the list")
        if root in omit:
            raise DebianError(
                f"the package {root} is both listed and left out: remove the line `{root} = ...`"
                f" from [omit] of the list of packages, or {root} from its group"
            )
        take(root, "")
    while queue:
        name = queue.popleft()
        for dependency in parse_relations(candidates[name].depends):
            satisfying = [
                _satisfying(alternative, candidates, providers) for alternative in dependency
            ]
            if any(found in chosen for group in satisfying for found in group):
                continue
            names = {alternative.name for alternative in dependency}
            names.update(found for group in satisfying for found in group)
            left_out = {
                named
                for found in names
                for named in [found, *_provided(candidates.get(found))]
                if named in omit and (_PYTHON.match(name) or not _is_library(found, candidates))
            }
            if left_out:
                omitted |= left_out
                continue
            first = next((group[0] for group in satisfying if group), None)
            if first is None:
                raise DebianError(
                    f"{_chain(name, wanted_by)} needs {' | '.join(map(str, dependency))},"
                    " which this release does not have; correct the list, or leave it out in"
                    " [omit]"
                )
            take(first, name)
    return Closure({name: chosen[name] for name in sorted(chosen)}, frozenset(omitted))


def _is_library(name: str, candidates: Mapping[str, IndexEntry]) -> bool:
    return name in candidates and candidates[name].section.split("/")[-1] == "libs"


def _provided(entry: IndexEntry | None) -> list[str]:
    """The names that a package provides with its own version, as if it still had them."""
    if entry is None:
        return []
    return [provided.name for provided in parse_provides(entry.provides) if provided.version]


def providers_of(candidates: Mapping[str, IndexEntry]) -> Providers:
    """Virtual name -> (provider, provided version or empty), sorted by provider."""
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
