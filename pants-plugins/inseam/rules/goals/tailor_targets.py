"""Reads what targets say about programs, for the goal `tailor`.

Fields are read by their aliases, so that no backend has to be enabled.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any, Iterable, Mapping

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PexEntryPointField, PythonResolveField
from pants.engine.target import Target

from inseam.compat import interpreter_constraints
from inseam.plan.tailor.choosing import Known
from inseam.plan.tailor.declared import Binary, Image, Script
from inseam.plan.tailor.naming import address_of
from inseam.plan.tailor.reading import FUNCTIONS
from inseam.plan.toml import read_toml
from inseam.targets.container import ServiceArgsField
from inseam.targets.image import OciRepositoryField


def value(target: Target, alias: str) -> Any:
    """The value of the field with this alias; None if the target has no such field."""
    for field, one in target.field_values.items():
        if field.alias == alias:
            return one.value
    return None


class Targets:
    """The targets of a repository, by what they say about programs."""

    def __init__(self, targets: Iterable[Target], python_setup: PythonSetup) -> None:
        self._setup = python_setup
        self.all = list(targets)
        services = [one for one in self.all if one.has_field(OciRepositoryField)]
        self._services = {
            (one.address.spec_path, one.address.target_name)
            for one in services
            if one.address.is_generated_target
        }
        self.service_folders = frozenset(folder for folder, _ in self._services)
        self.images = services
        self._owners: dict[str, list[Target]] = defaultdict(list)
        for one in self.all:
            if one.alias == "python_source":
                path = f"{one.address.spec_path}/{value(one, 'source')}".lstrip("/")
                self._owners[path].append(one)

    def _is_of_service(self, target: Target) -> bool:
        address = target.address
        key = (address.spec_path, address.target_name)
        return address.is_generated_target and key in self._services

    def known(self, imports: Mapping[str, frozenset[str]]) -> Known:
        """The existing services. imports: those of their modules."""
        return Known(
            self.modules(),
            frozenset(word for one in self.images for word in one[ServiceArgsField].value or ()),
            imports,
        )

    def modules(self) -> frozenset[str]:
        """The modules of the existing services, as path suffixes such as "shop/server.py"."""
        found = set()
        for target in self.all:
            if not self._is_of_service(target) or not target.has_field(PexEntryPointField):
                continue
            entry_point = target[PexEntryPointField].value
            if entry_point is None:
                continue
            module = entry_point.module
            if module.endswith(".py"):
                found.add(f"{target.address.spec_path}/{module}".lstrip("/"))
            else:
                path = module.replace(".", "/")
                found.update((f"{path}.py", f"{path}/__init__.py", f"{path}/__main__.py"))
        return frozenset(found)

    def binaries(self, *, functions: bool) -> list[Binary]:
        """The targets that name programs, except those of services. functions: whether to include
        cloud functions.
        """
        found: dict[str, Binary] = {}
        for target in self.all:
            is_function = target.alias in FUNCTIONS
            if target.alias != "pex_binary" and not (functions and is_function):
                continue
            if not self._is_of_service(target):
                binary = self._binary(target, is_function)
                # Of a parametrized target, the first is enough.
                found.setdefault(binary.address, binary)
        return list(found.values())

    def _binary(self, target: Target, is_function: bool) -> Binary:
        address = target.address
        folder = address.spec_path
        name = address.target_name + (
            f"#{address.generated_name}" if address.is_generated_target else ""
        )
        entry_point: Any = value(target, "handler" if is_function else "entry_point")
        if entry_point is not None and not isinstance(entry_point, str):
            function = f":{entry_point.function}" if entry_point.function else ""
            entry_point = f"{entry_point.module}{function}"
        script = value(target, "script")
        output = value(target, "output_path")
        plain = f"{folder.replace('/', '.')}/{address.target_name}.pex".lstrip("/")
        return Binary(
            address_of(folder, name),
            target.alias,
            entry_point,
            script.name if script is not None else None,
            tuple(value(target, "args") or ()),
            tuple(sorted((value(target, "env") or {}).items())),
            tuple(value(target, "dependencies") or ()),
            output if output and "$" not in output else plain,
            value(target, "include_sources") is not False,
        )

    def dockerfiles(self) -> list[tuple[str, Image]]:
        """For each image, the path of its Dockerfile or "", and the instructions in its target."""
        found = []
        for target in self.all:
            if target.alias != "docker_image" or self._is_of_service(target):
                continue
            folder = target.address.spec_path
            instructions = value(target, "instructions")
            source = value(target, "source")
            path = "" if instructions or not source else f"{folder}/{source}".lstrip("/")
            text = "\n".join(instructions or ())
            found.append((path, Image(target.address.spec, folder, text)))
        return found

    def repositories(self) -> frozenset[str]:
        """The repositories of images that are not services."""
        found = set()
        for target in self.all:
            if target.alias == "docker_image" and not self._is_of_service(target):
                name = value(target, "repository") or target.address.target_name
                folder = os.path.basename(target.address.spec_path)
                name = name.replace("{name}", target.address.target_name)
                found.add(name.replace("{directory}", folder).lower())
        return frozenset(found)

    def scripts(self) -> list[Script]:
        """The console scripts of distributions."""
        found = []
        for target in self.all:
            if target.alias != "python_distribution":
                continue
            folder = target.address.spec_path
            given: dict[str, Any] = dict(value(target, "entry_points") or {})
            provides = value(target, "provides")
            kwargs = getattr(provides, "kwargs", None) or {}
            declared = kwargs.get("entry_points")
            if isinstance(declared, Mapping):
                given = {**declared, **given}
            for name, entry_point in _pairs(given.get("console_scripts")):
                if "/" not in entry_point and not entry_point.startswith(":"):
                    found.append(Script(target.address.spec, folder, name, entry_point))
        return found

    def owners(self, path: str) -> list[Target]:
        return self._owners.get(path, [])

    def resolve(self, target: Target) -> str | None:
        """The resolve of a target; None for the default one, or without resolves."""
        if not self._setup.enable_resolves or not target.has_field(PythonResolveField):
            return None
        name: str = target[PythonResolveField].normalized_value(self._setup)
        return None if name == self._setup.default_resolve else name

    def constraints(self, target: Target | None) -> tuple[str, ...]:
        """The interpreter constraints of a target, or those of the repository."""
        if target is None:
            return tuple(self._setup.interpreter_constraints)
        return interpreter_constraints(target, self._setup)


def project_scripts(path: str, text: bytes) -> list[Script]:
    """The console scripts that a pyproject.toml declares."""
    try:
        table = read_toml(text)
    except ValueError:
        return []
    folder = os.path.dirname(path)
    tool = table.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    found = []
    for part in (table.get("project"), poetry):
        scripts = part.get("scripts") if isinstance(part, dict) else None
        for name, entry_point in _pairs(scripts):
            found.append(Script(path, folder, name, entry_point))
    return found


def _pairs(given: Any) -> list[tuple[str, str]]:
    """Console scripts from a table, or from lines such as `name = module:function`."""
    if isinstance(given, Mapping):
        pairs = list(given.items())
    elif isinstance(given, (list, tuple)):
        pairs = [
            (name.strip(), rest.strip())
            for name, _, rest in (str(line).partition("=") for line in given)
        ]
    else:
        return []
    return [(name, one) for name, one in pairs if isinstance(one, str) and ":" in one]
