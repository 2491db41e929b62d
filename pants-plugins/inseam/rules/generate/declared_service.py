"""Reads the fields of a `python_service`, and derives its programs and images from them."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Mapping

from pants.backend.docker.target_types import DockerImageRegistriesField, DockerImageTagsField
from pants.engine.addresses import Address
from pants.engine.target import Field, InvalidFieldException

from inseam.formats.oci.config import ImageConfig
from inseam.formats.python.entry_point import CONSOLE_SCRIPTS
from inseam.plan.container import PORT, command, environment, script
from inseam.plan.health import DeclaredProbes
from inseam.plan.packaging import Artifact
from inseam.subsystem import InseamSubsystem
from inseam.targets.container import (
    EnvField,
    InitField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    ServiceWorkingDirField,
    StopSignalField,
    UserField,
    VolumesField,
)
from inseam.targets.health import HealthcheckOptionsField, ProbesField
from inseam.targets.programs import (
    ServiceEntryPointField,
    ServiceFactoryField,
    ServiceHealthcheckField,
    ServiceHealthcheckPathField,
    ServiceProgram,
    ServiceProgramsField,
    ServiceScriptField,
    ServiceServerField,
    ServiceWorkersField,
)
from inseam.targets.service import ServicePackageField, ServiceRepositoryField


class DeclaredService:
    """The fields of a `python_service`, with its parameters, if it has any.

    Raises InvalidFieldException for fields that contradict each other.
    """

    def __init__(self, address: Address, template: Mapping[str, Any]) -> None:
        self.address = address
        self._template = template

    def __getitem__(self, field: type[Field]) -> Any:
        """The value of a field."""
        constructor: Any = field
        return constructor(self._template.get(field.alias), self.address).value

    def raw(self, *aliases: str) -> dict[str, Any]:
        """Those of the given fields that are set, with their values from the BUILD file."""
        return {alias: self._template[alias] for alias in aliases if alias in self._template}

    def base(self, inseam: InseamSubsystem) -> str:
        """The address of its base."""
        base: str = self[ServiceBaseField] or inseam.base
        if not base:
            raise self._fail(
                f"has no `{ServiceBaseField.alias}`, and the option [inseam].base is not set. Set"
                " one of them to the address of a `debian_base` or a `registry_base`."
            )
        return f"//{self.address.spec_path}{base}" if base.startswith(":") else base

    def artifacts(self, inseam: InseamSubsystem) -> tuple[Artifact, ...]:
        """The artifacts that it is packaged as."""
        named = self[ServicePackageField]
        return tuple(inseam.package if named is None else map(Artifact, named))

    @cached_property
    def default(self) -> ServiceProgram:
        """The program that `#oci` starts; for a `script`, a program without an entry point."""
        script_name = self[ServiceScriptField]
        if script_name:
            return ServiceProgram(script_name, "", **self._own_probes())
        return self._programs[0]

    @property
    def others(self) -> tuple[ServiceProgram, ...]:
        """The other programs, each of which has its own image."""
        return self._programs if self[ServiceScriptField] else self._programs[1:]

    @cached_property
    def _programs(self) -> tuple[ServiceProgram, ...]:
        """Its programs, the default one first; with `script`, only the others."""
        programs = tuple(map(self._checked, self[ServiceProgramsField]))
        entry_point, script_name = self[ServiceEntryPointField], self[ServiceScriptField]
        server = self[ServiceServerField]
        probes = self._own_probes()
        if entry_point and script_name:
            raise self._fail("has both an `entry_point` and a `script`. Remove one of them.")
        if entry_point:
            name = CONSOLE_SCRIPTS["entry_point"]
            program = ServiceProgram(
                name, entry_point, server=server, factory=self[ServiceFactoryField], **probes
            )
            return (self._checked(program.with_factory()), *programs)
        if server or self[ServiceFactoryField]:
            raise self._fail(
                f"has a `{'server' if server else 'factory'}`, but no `entry_point` that names its"
                " application."
            )
        if script_name:
            return programs
        if not programs:
            raise self._fail(
                "starts nothing. Set its `entry_point`, such as 'shop.server:main', or `programs`."
            )
        first = programs[0]
        unset = ServiceProgram("", "")
        given = {name: value for name, value in probes.items() if value != getattr(unset, name)}
        return (first._replace(**given), *programs[1:])

    def _checked(self, program: ServiceProgram) -> ServiceProgram:
        if program.factory and not program.server:
            raise self._fail(
                f"calls {program.entry_point}() to get an application, but says nothing that serves"
                " it. Set `server` to 'uvicorn' or 'gunicorn', or remove `factory` and `()`."
            )
        return program

    def _own_probes(self) -> dict[str, Any]:
        fields: tuple[type[Field], ...] = (
            *(ServiceHealthcheckField, ServiceHealthcheckPathField),
            *(HealthcheckOptionsField, ProbesField),
        )
        return {field.alias: self[field] for field in fields}

    def check_probes(self, program: ServiceProgram) -> None:
        """Raises InvalidFieldException for a program with two health checks."""
        if program.healthcheck and program.healthcheck_path:
            raise self._fail(
                "has both a `healthcheck` and a `healthcheck_path`. Remove one of them."
            )

    @property
    def repository(self) -> str:
        """The repository of its default image, with placeholders."""
        repository: str = self[ServiceRepositoryField] + self._suffix()
        if self.address.spec_path:
            return repository
        # The root folder has no name, and Pants' Docker backend would use the empty string.
        return repository.replace("{directory}", "{name}")

    def _suffix(self) -> str:
        """The suffix of image names: its parameters, unless these set the names."""
        parameters = self.address.parameters
        naming = {ServiceRepositoryField, DockerImageTagsField, DockerImageRegistriesField}
        if {field.alias for field in naming}.intersection(parameters):
            return ""
        plain = ("".join(c if c.isalnum() else "-" for c in v.lower()) for v in parameters.values())
        return "".join(f"-{value.strip('-')}" for value in plain if value.strip("-"))

    @cached_property
    def env(self) -> dict[str, str]:
        """The environment that it declares, with what its server and probes need."""
        env = dict(self[EnvField] or {})
        served = [one for one in self._programs if one.server]
        probed = self[ServiceHealthcheckPathField] or any(
            one.healthcheck_path for one in self._programs
        )
        if served or probed:
            ports = self[PortsField]
            env.setdefault("PORT", ports[0].partition("/")[0] if ports else PORT)
        workers = self[ServiceWorkersField]
        if workers is not None:
            if not served or workers < 1:
                raise self._fail("has `workers`, which must be a positive number, for a `server`.")
            env.setdefault("WEB_CONCURRENCY", str(workers))
        return env

    def config(self, program: ServiceProgram) -> ImageConfig:
        """The configuration of the image that starts a program."""
        is_default = program == self.default
        args = (self[ServiceArgsField] if is_default else None) or program.args
        probe = program.healthcheck or program.healthcheck_path
        ports = self[PortsField]
        if not ports and program.server:
            ports = (self.env["PORT"],)
        return ImageConfig(
            env=environment(self.env),
            user=self[UserField],
            ports=ports,
            entrypoint=command(program.name, self[InitField]),
            cmd=tuple(args or ()),
            working_dir=self[ServiceWorkingDirField],
            stop_signal=self[StopSignalField],
            healthcheck=(
                program.healthcheck_options.healthcheck((script(self.probe_name(program)),))
                if probe
                else None
            ),
            volumes=tuple(self[VolumesField]),
        )

    def probes(self, program: ServiceProgram) -> DeclaredProbes:
        """What Kubernetes asks for: a program's `probes`, else the path of its health check."""
        own, path = program.probes, program.healthcheck_path
        if own.exec or not path:
            return own
        return DeclaredProbes(own.startup or path, own.readiness or path, own.liveness or path)

    def name_of(self, program: ServiceProgram) -> str:
        """The prefix of the names of a program's targets and artifacts; "" for the default."""
        return "" if program == self.default else program.name

    def probe_name(self, program: ServiceProgram) -> str:
        """The name of the console script that probes a program."""
        name = self.name_of(program)
        return f"{name}-healthcheck" if name else CONSOLE_SCRIPTS["healthcheck"]

    def _fail(self, text: str) -> InvalidFieldException:
        return InvalidFieldException(f"The target {self.address} {text}")
