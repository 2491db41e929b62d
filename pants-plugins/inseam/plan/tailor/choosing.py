"""Decides which declared programs become services, each of them once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Callable, Iterable, Mapping

from inseam.plan.tailor.declared import Declared, Kind, LeftOut
from inseam.plan.tailor.modules import module_names
from inseam.plan.tailor.starting import Start


@dataclass(frozen=True)
class Known:
    """The existing services."""

    modules: frozenset[str] = frozenset()
    """Their modules, as path suffixes such as "shop/server.py"."""
    args: frozenset[str] = frozenset()
    """The arguments of their programs."""
    imports: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The dotted names that their modules import, by path."""

    def has(self, one: Declared, name: str) -> bool:
        """Whether a program is one of them. name: the dotted name of its module."""
        if one.start.script:
            return bool(name) and any(
                name in (word, word.partition(":")[0], word.rpartition(".")[0])
                for word in self.args
            )
        return ends_with(one.path, self.modules)


def ends_with(path: str, ends: frozenset[str]) -> bool:
    """Whether a path is one of `ends`, or ends with one of them."""
    parts = path.split("/")
    return any("/".join(parts[number:]) in ends for number in range(len(parts)))


def choose(
    declared: Iterable[Declared], known: Known, dotted: Callable[[str], str]
) -> list[Declared]:
    """The programs for which there is no service yet.

    dotted: the dotted name of the module at a path.
    """
    ordered = sorted(declared, key=lambda one: (one.kind, one.path, one.where))
    groups: dict[str, list[Declared]] = {}
    for one in ordered:
        groups.setdefault(one.path or one.where, []).append(one)
    found = [one for group in groups.values() for one in _of_module(group)]
    said = any(one.kind < Kind.MODULE for one in found)
    kept = [
        one
        for one in found
        # If any program is declared, a module that merely might be a service is left out.
        if one.kind < Kind.MODULE or one.start.is_sure or not said
    ]
    starts = {one.path: one.start for one in kept}
    imports = {path: start.imports for path, start in starts.items()}
    users = _Imports({**known.imports, **imports})
    wsgi = {one.home for one in kept if one.start.is_django and one.start.server == "gunicorn"}
    return [
        one
        for one in kept
        if not known.has(one, dotted(one.path) if one.path else "")
        and not (one.kind == Kind.MODULE and _is_part(one, users, wsgi))
    ]


def uncovered(
    left_out: Iterable[LeftOut], chosen: Iterable[Declared], services: Iterable[str]
) -> list[LeftOut]:
    """What is left out, in folders from which no other program becomes a service."""
    folders = {folder for one in chosen for folder in (one.home, one.folder)} | set(services)
    return [one for one in left_out if _folder(one.where) not in folders]


def _folder(where: str) -> str:
    """The folder of a target or of a file."""
    return where.partition(":")[0].strip("/") if ":" in where else os.path.dirname(where)


def _is_part(one: Declared, users: _Imports, wsgi: set[str]) -> bool:
    """Whether a module is part of another service."""
    start = one.start
    if start.is_django and start.server == "uvicorn" and one.home in wsgi:
        # Django creates both wsgi.py and asgi.py, and one of them is enough.
        return True
    # Other services import the modules of workers, but not files that a script loads by path.
    is_worker = start.script is not None and "{path}" not in start.args
    return not is_worker and users.has(one.path, start)


def _of_module(group: list[Declared]) -> list[Declared]:
    """The programs of one module, chosen from all declarations of it."""
    commands = [one for one in group if one.kind <= Kind.PROCFILE]
    best = commands or [one for one in group if one.kind == group[0].kind]
    targets = [one for one in group if one.target]
    alike: dict[object, list[Declared]] = {}
    for one in best:
        alike.setdefault(one.runs, []).append(one)
    found = []
    for same in alike.values():
        folders = {one.folder: one for one in reversed(same)}
        is_shared = len(folders) > 1 and not any(
            f"{one.path}/".startswith(f"{folder}/") or not folder for folder, one in folders.items()
        )
        if is_shared and same[0].kind in (Kind.IMAGE, Kind.BINARY):
            # Several services start a module that belongs to none of them.
            found += [replace(one, target=one.target or one.where) for one in folders.values()]
            continue
        one = next((one for one in same if one.start.port), same[0])
        if targets and not one.target:
            target = targets[0]
            one = replace(
                one,
                folder=target.folder,
                target=target.target,
                name=one.name or target.name,
                dependencies=target.dependencies,
            )
        found.append(one)
    return found


class _Imports:
    """Knows which modules, or their applications, other modules import."""

    def __init__(self, imports: Mapping[str, frozenset[str]]) -> None:
        self._users: dict[str, set[str]] = {}
        for path, names in imports.items():
            for name in names:
                self._users.setdefault(name, set()).add(path)

    def has(self, path: str, start: Start) -> bool:
        """Whether another module imports the module at `path`, or its application."""
        folder = os.path.dirname(path)
        application = start.function.removesuffix("()")
        for name in module_names(path):
            for imported in (name, f"{name}.{application}"):
                for other in self._users.get(imported, ()):
                    # A name without a dot is ambiguous, so it only counts in the same folder.
                    if other != path and ("." in name or os.path.dirname(other) == folder):
                        return True
        return False
