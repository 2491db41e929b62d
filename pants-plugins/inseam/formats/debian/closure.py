"""Resolves Debian packages to the closure of their dependencies (Debian policy chapter 7)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Collection, Iterable, Mapping

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import IndexEntry
from inseam.formats.debian.relations import Relation, parse_relations


@dataclass(frozen=True)
class Closure:
    """packages: by name, sorted. omitted: names left out that some package of it wants."""

    packages: Mapping[str, IndexEntry]
    omitted: frozenset[str]


def resolve(
    roots: Iterable[str], candidates: Mapping[str, IndexEntry], omit: Collection[str] = ()
) -> Closure:
    """The roots and all that they depend on, without the packages named in `omit`.

    candidates: by name, the one version of each package that may be taken.
    omit: names that count as there. A dependency that one of them satisfies adds nothing.

    Of several alternatives, one that is there already is taken, else the first that can be had.
    Roots are taken, and their dependencies walked, in sorted order, so that the result depends on
    the sets only. Raises DebianError, naming the chain of packages, for what cannot be satisfied.
    """
    providers = _providers(candidates)
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
            raise DebianError(f"there is no package {root} in this release; correct the list")
        if root in omit:
            raise DebianError(
                f"the package {root} is both asked for and left out; correct the list"
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
            left_out = {alternative.name for alternative in dependency} | {
                found for group in satisfying for found in group
            }
            left_out.intersection_update(omit)
            if left_out:
                omitted |= left_out
                continue
            first = next((group[0] for group in satisfying if group), None)
            if first is None:
                raise DebianError(
                    f"{_chain(name, wanted_by)} needs {' | '.join(map(str, dependency))},"
                    " which this release does not have; correct the list, or leave it out there"
                )
            take(first, name)
    return Closure({name: chosen[name] for name in sorted(chosen)}, frozenset(omitted))


def _providers(candidates: Mapping[str, IndexEntry]) -> dict[str, list[tuple[str, str]]]:
    """Virtual name -> (provider, provided version or empty), sorted by provider."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(candidates):
        for (provided,) in parse_relations(candidates[name].provides):
            found.setdefault(provided.name, []).append((name, provided.version))
    return found


def _satisfying(
    wanted: Relation,
    candidates: Mapping[str, IndexEntry],
    providers: Mapping[str, list[tuple[str, str]]],
) -> list[str]:
    """Names of the packages that satisfy a relation, the real one first.

    Only a versioned Provides satisfies a versioned relation (policy 7.5).
    """
    found = []
    real = candidates.get(wanted.name)
    if real is not None and wanted.allows(real.version):
        found.append(real.name)
    for name, version in providers.get(wanted.name, ()):
        if name not in found and (not wanted.relation or (version and wanted.allows(version))):
            found.append(name)
    return found


def _chain(name: str, wanted_by: Mapping[str, str]) -> str:
    names = [name]
    while wanted_by.get(names[-1]):
        names.append(wanted_by[names[-1]])
    return " -> ".join(reversed(names))
