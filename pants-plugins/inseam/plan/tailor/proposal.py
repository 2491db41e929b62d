"""Turns programs into proposals: a `python_service` for each, or for several of an application."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Optional, Sequence, Tuple

from inseam.plan.tailor.bases import Choice
from inseam.plan.tailor.declared import Declared, LeftOut
from inseam.plan.tailor.frameworks import started_by
from inseam.plan.tailor.naming import address_of, program_names, repositories

# The port on which a server listens by default.
_DEFAULT_PORT = 8000
_NAME = "app"


class Owner(NamedTuple):
    """What the repository says about a module."""

    address: Optional[str] = None
    """Address of the target that owns it."""
    resolve: Optional[str] = None
    """Its resolve; None for the default one."""
    base: Choice = Choice()


def _no_owner(one: Declared) -> Owner:
    return Owner()


@dataclass(frozen=True)
class Proposal:
    """A target for a BUILD file."""

    folder: str
    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Strings, numbers, tuples, and dictionaries of these."""
    base: Optional[str] = None
    """For a base instead of a service: the name of its list of packages, from Inseam."""


@dataclass(frozen=True)
class Surroundings:
    """What proposals need to know about the repository."""

    roots: Sequence[str] = ()
    """Source roots."""
    owner: Callable[[Declared], Owner] = _no_owner
    services: frozenset[str] = frozenset()
    """The folders of the existing services."""
    names: frozenset[str] = frozenset()
    """The addresses of all targets."""
    repositories: frozenset[str] = frozenset()
    """Repositories of images that are not services."""

    def below_root(self, path: str) -> str:
        """A path relative to its source root."""
        fitting = [root for root in self.roots if root in ("", ".") or path.startswith(f"{root}/")]
        root = max(fitting, key=len, default="")
        return path if root in ("", ".") else path[len(root) + 1 :]

    def dotted(self, path: str) -> str:
        """The dotted name of the module at a path."""
        name = self.below_root(path).removesuffix(".py").removesuffix("/__init__")
        return name.replace("/", ".")


def propose(
    chosen: Iterable[Declared], around: Surroundings
) -> tuple[list[Proposal], list[LeftOut]]:
    """The proposals for programs, and the programs that are left out."""
    left_out = []
    services: list[list[Declared]] = []
    by_home: dict[str, list[Declared]] = {}
    for one in chosen:
        problem = _unwritable(one)
        if problem:
            left_out.append(LeftOut(one.where, *problem))
        else:
            by_home.setdefault(one.home, []).append(one)
    for _, members in sorted(by_home.items()):
        services += _divide(members, around)
    homes = [service[0].home for service in services]
    named = repositories(sorted(set(homes)), around.services, around.repositories)
    found = []
    for service, home in zip(services, homes):
        alone = homes.count(home) == 1 and home not in around.services
        name = _service_name(service, alone, around.names)
        repository = named.get(home)
        if not alone and home:
            repository = f"{repository or os.path.basename(home).lower()}-{name}"
        found.append(Proposal(home, name, _fields(service, repository, around)))
        missing = around.owner(service[0]).base.missing
        if missing:
            left_out.append(
                LeftOut(
                    service[0].where,
                    f"its code needs CPython {missing}, and no base in this repository has it",
                    "a `debian_base` with `python_archives`, or a `registry_base`, and `base`",
                )
            )
    shipped = {
        choice.address: choice.shipped
        for service in services
        for choice in [around.owner(service[0]).base]
        if choice.shipped and choice.address and choice.address not in around.names
    }
    bases = [
        Proposal("", address[3:], base=packages) for address, packages in sorted(shipped.items())
    ]
    return found + bases, left_out


def _unwritable(one: Declared) -> tuple[str, str] | None:
    """Why a program cannot be written into a BUILD file, and what to write instead."""
    start = one.start
    words = [one.path, *start.args, *one.dependencies, start.function]
    words += [part for pair in one.env for part in pair]
    if any(not word.isprintable() or set(word) & set('"\\') for word in words):
        return "its command has characters that cannot be written automatically", ""
    if any("$" in word for word in start.args):
        return "its arguments contain variables, which only a shell would expand", ""
    return None


def _divide(members: list[Declared], around: Surroundings) -> list[list[Declared]]:
    """The programs of a folder, by service: programs with the same requirements share a service."""
    found: dict[object, list[Declared]] = {}
    for one in members:
        framework = started_by(one.start.script) if one.start.script else None
        is_program = framework is None or bool(framework.module)
        owner = around.owner(one)
        key = (owner.resolve, owner.base, one.env, None if is_program else one.runs)
        found.setdefault(key, []).append(one)
    divided = []
    for same in found.values():
        ports: dict[int | None, list[Declared]] = {}
        for one in same:
            ports.setdefault(one.start.port or None, []).append(one)
        listening = [port for port in ports if port]
        if len(listening) < 2:
            divided.append(same)
        else:
            # A health check uses the first of a service's ports.
            divided += [[*ports[listening[0]], *ports.get(None, ())]]
            divided += [ports[port] for port in listening[1:]]
    return divided


def _service_name(service: list[Declared], alone: bool, taken: frozenset[str]) -> str:
    """`app`, or the program's name if a folder has several services."""
    folder = service[0].home
    name = _NAME if os.path.basename(folder) != _NAME else "service"
    if not alone:
        name = _given_name(service[0]).strip("_") or name
    number = 0
    free = name
    while address_of(folder, free) in taken or (folder and free == os.path.basename(folder)):
        number += 1
        free = f"{name}-service" if number == 1 else f"{name}-service{number}"
    return free


def _given_name(one: Declared) -> str:
    stem = os.path.splitext(os.path.basename(one.path))[0].strip("_")
    return one.name or stem or one.start.script or _NAME


def _fields(
    service: list[Declared], repository: str | None, around: Surroundings
) -> dict[str, Any]:
    owner = around.owner(service[0])
    ports = tuple(
        dict.fromkeys(
            one.start.port
            for one in service
            if one.start.port
            and (one.start.server is None or one.start.port != _DEFAULT_PORT)
            and one.start.port < 65536
        )
    )
    shared: dict[str, Any] = {
        "repository": repository,
        "ports": ports,
        "env": dict(sorted(set(service[0].env))),
        "dependencies": _dependencies(service, around),
        "resolve": owner.resolve,
        "base": owner.base.address,
    }
    own = (
        _own(service[0], around) if len(service) == 1 else {"programs": _programs(service, around)}
    )
    return {name: value for name, value in {**own, **shared}.items() if value not in (None, (), {})}


def _programs(service: list[Declared], around: Surroundings) -> dict[str, Any]:
    ordered = sorted(service, key=lambda one: (not one.start.server, one.kind, one.where))
    names = program_names((_given_name(one), bool(one.start.server)) for one in ordered)
    found: dict[str, Any] = {}
    for name, one in zip(names, ordered):
        fields = _own(one, around)
        script = fields.pop("script", None)
        fields.pop("workers", None)
        if script:
            framework = started_by(script)
            module = f"{framework.module}.__main__" if framework else script
            fields["entry_point"] = module
        fields = {key: value for key, value in fields.items() if value not in (None, ())}
        found[name] = fields["entry_point"] if len(fields) == 1 else fields
    return found


def _own(one: Declared, around: Surroundings) -> dict[str, Any]:
    """The fields of a program, as opposed to those of its service."""
    start = one.start
    script, entry_point = start.script, None
    if script and script.endswith(".__main__"):
        script, entry_point = None, script
    elif not script:
        entry_point = _entry_point(one, around)
    return {
        "entry_point": entry_point,
        "script": script,
        "args": _args(one, around),
        "server": start.server,
        "workers": one.workers,
        "healthcheck_path": start.healthcheck_path,
    }


def _entry_point(one: Declared, around: Surroundings) -> str:
    folder, name = os.path.split(one.path)
    module = name if folder == one.home else around.dotted(one.path)
    return f"{module}:{one.start.function}" if one.start.function else module


def _args(one: Declared, around: Surroundings) -> Tuple[str, ...]:
    if not one.path:
        return one.start.args
    known = {
        "{module}": around.dotted(one.path),
        "{path}": around.below_root(one.path),
    }
    args = one.start.args
    for placeholder, value in known.items():
        args = tuple(word.replace(placeholder, value) for word in args)
    return args


def _dependencies(service: list[Declared], around: Surroundings) -> Tuple[str, ...]:
    """The dependencies of targets, and the modules that scripts load by name."""
    found = [dependency for one in service for dependency in one.dependencies]
    for one in service:
        if one.start.script and one.path:
            beside = os.path.dirname(one.path) == one.home
            owner = around.owner(one).address
            found.append(owner or (f"./{os.path.basename(one.path)}" if beside else one.path))
    return tuple(dict.fromkeys(found))
