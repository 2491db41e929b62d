"""Turns a `python_service` into the targets that it stands for.

It is long because each field of the declaration is given on here, to each target that needs it.
"""

from __future__ import annotations

from typing import Any, Collection, Mapping

from pants.backend.docker.target_types import (
    DockerImageContextRootField,
    DockerImageRegistriesField,
    DockerImageSkipPushField,
    DockerImageTagsField,
)
from pants.backend.python.goals.package_pex_binary import PexBinaryFieldSet
from pants.backend.python.target_types import PexBinary
from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.engine.target import (
    Dependencies,
    Field,
    GeneratedTargets,
    GenerateTargetsRequest,
    InvalidFieldException,
    Target,
)
from pants.engine.unions import UnionMembership, UnionRule

from inseam.compat import rule
from inseam.compat.patches import leave_to_inseam
from inseam.formats.oci.config import Healthcheck, ImageConfig
from inseam.formats.python.code import APP_LAYER, LIBRARIES_LAYER
from inseam.formats.python.entry_point import CONSOLE_SCRIPTS
from inseam.plan.container import PORT, command, environment, script
from inseam.plan.dockerfile import divided, instructions
from inseam.plan.packaging import Artifact
from inseam.rules.generate.base import common_fields, dist_path, layers_folder
from inseam.subsystem import InseamSubsystem, PublishedImage
from inseam.targets.code import ServiceCodeTarget
from inseam.targets.container import (
    AllowedFindingsField,
    EnvField,
    InitField,
    OciCompressionField,
    OciPlatformsField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    ServiceWorkingDirField,
    StopSignalField,
    UserField,
    VolumesField,
    WorkingDirField,
    WritableDirsField,
)
from inseam.targets.image import (
    OciEntryPointField,
    OciHealthcheckField,
    OciImageTarget,
    OciLabelsField,
    OciLayersField,
    OciRegistriesField,
    OciRepositoryField,
    OciSkipPushField,
    OciTagsField,
)
from inseam.targets.layer import (
    AppLayersField,
    AppLayerTarget,
    DepsImageField,
    DepsImageLayersField,
    DepsImageTarget,
    LayersBaseField,
    LayersEntryPointsField,
    LayersScriptsField,
    LayersServiceField,
    LayersSharedField,
    LayersSkipPackageField,
    LayersWritableDirsField,
    VenvLayersTarget,
)
from inseam.targets.programs import (
    ServiceEntryPointField,
    ServiceHealthcheckField,
    ServiceHealthcheckPathField,
    ServiceProgram,
    ServiceProgramsField,
    ServiceScriptField,
    ServiceServerField,
    ServiceWorkersField,
)
from inseam.targets.service import (
    PublishedInsteadField,
    PythonServiceTarget,
    ServiceDependenciesField,
    ServiceImageTarget,
    ServiceLabelsField,
    ServiceLayersField,
    ServicePackageField,
    ServiceRepositoryField,
)

# The layers of a service's code, lowest first.
CODE_LAYERS = (LIBRARIES_LAYER, APP_LAYER)

# The fields that all generated `pex_binary`s have, besides the dependencies.
_OF_PEXES = ("resolve", "interpreter_constraints")


class GenerateFromPythonService(GenerateTargetsRequest[PythonServiceTarget]):
    generate_from = PythonServiceTarget


class _Service:
    """The fields of a `python_service`, with its parameters, if it has any."""

    def __init__(self, address: Address, template: Mapping[str, Any]) -> None:
        self.address = address
        self._template = template

    def __getitem__(self, field: type[Field]) -> Any:
        constructor: Any = field
        return constructor(self._template.get(field.alias), self.address).value

    def raw(self, *aliases: str) -> dict[str, Any]:
        return {alias: self._template[alias] for alias in aliases if alias in self._template}

    def fail(self, text: str) -> InvalidFieldException:
        return InvalidFieldException(f"The target {self.address} {text}")

    def programs(self) -> tuple[ServiceProgram, ...]:
        """Its programs, the one that it starts by default first; with `script`, only the others."""
        programs: tuple[ServiceProgram, ...] = self[ServiceProgramsField]
        entry_point = self[ServiceEntryPointField]
        own = {
            field.alias: self[field]
            for field in (ServiceServerField, ServiceHealthcheckField, ServiceHealthcheckPathField)
        }
        if entry_point and self[ServiceScriptField]:
            raise self.fail("has both an `entry_point` and a `script`. Remove one of them.")
        if entry_point:
            default = ServiceProgram(CONSOLE_SCRIPTS["entry_point"], entry_point, **own)
            return (default, *programs)
        if own[ServiceServerField.alias]:
            raise self.fail("has a `server`, but no `entry_point` that names its application.")
        if not programs and not self[ServiceScriptField]:
            raise self.fail(
                "starts nothing. Set its `entry_point`, such as 'shop.server:main', or `programs`."
            )
        if programs and not self[ServiceScriptField]:
            first = programs[0]
            probes = {name: own[name] or getattr(first, name) for name in own if name != "server"}
            return (first._replace(**probes), *programs[1:])
        return programs

    def suffix(self) -> str:
        """What the names of images have at their end: its parameters, unless they name images."""
        parameters = self.address.parameters
        naming = {ServiceRepositoryField, DockerImageTagsField, DockerImageRegistriesField}
        if {field.alias for field in naming}.intersection(parameters):
            return ""
        plain = ("".join(c if c.isalnum() else "-" for c in v.lower()) for v in parameters.values())
        return "".join(f"-{value.strip('-')}" for value in plain if value.strip("-"))


def _check_probes(service: _Service, program: ServiceProgram) -> None:
    if program.healthcheck and program.healthcheck_path:
        raise service.fail("has both a `healthcheck` and a `healthcheck_path`. Remove one of them.")


class _Generator:
    """Collects the targets that a service stands for."""

    def __init__(
        self,
        service: _Service,
        artifacts: Collection[Artifact],
        fields: Mapping[str, Any],
        membership: Any,
    ) -> None:
        self.service = service
        self.artifacts = artifacts
        self.targets: list[Target] = []
        # The console scripts, and the `pex_binary`s whose code they are.
        self.pexes: list[str] = []
        self.entry_points: list[str] = []
        self._fields = fields
        self._membership = membership

    def add(self, cls: type[Target], name: str, fields: Mapping[str, Any]) -> str:
        """Adds a generated target; returns its address."""
        address = self.service.address.create_generated(name)
        target = cls(
            {**self._fields, **fields},
            address,
            self._membership,
            residence_dir=address.spec_path,
        )
        self.targets.append(target)
        return address.spec

    def add_pex(self, name: str, suffix: str, fields: Mapping[str, Any]) -> str:
        """Adds what stands for the code of a program: a `pex_binary`, if those are packaged."""
        fields = {**self.service.raw(*_OF_PEXES), **fields}
        if Artifact.pex not in self.artifacts:
            return self.add(ServiceCodeTarget, f"{name}-sources", fields)
        output = dist_path(self.service.address, f"{suffix}.pex")
        return self.add(PexBinary, name, {**fields, "output_path": output})

    def add_entry_point(self, name: str, pex: str, server: str | None = None) -> None:
        self.pexes.append(pex)
        behind = f"[{server}]" if server else ""
        self.entry_points.append(f"{name}={len(self.pexes) - 1}{behind}")

    def add_program(self, program: ServiceProgram, name: str, dependencies: Any) -> None:
        """Adds the `pex_binary`s of a program and of its probe. name: "" for the default."""
        pex, code = (f"{name}-pex", f"{name}-code") if name else ("pex", "code")
        suffix = f"-{name}" if name else ""
        needs = {Dependencies.alias: dependencies}
        if program.server:
            # The PEX runs the server, as the image does; the application's code is a target of its
            # own, for Pants to find what that imports.
            app = self.add_pex(
                code, f"{suffix}-code", {**needs, "entry_point": program.entry_point}
            )
            argument = program.entry_point
            runs = self.add_pex(
                pex,
                suffix,
                {
                    "entry_point": program.server,
                    "args": [_application(argument), *program.args],
                    Dependencies.alias: [*(dependencies or ()), app],
                },
            )
            self.pexes.append(runs)
            self.add_entry_point(program.name, app, program.server)
        else:
            runs = self.add_pex(pex, suffix, {**needs, "entry_point": program.entry_point})
            self.add_entry_point(program.name, runs)
        self.add_probe(program, name)

    def add_probe(self, program: ServiceProgram, name: str) -> None:
        _check_probes(self.service, program)
        script_name = _probe_name(name)
        if program.healthcheck_path:
            self.entry_points.append(f"{script_name}={program.healthcheck_path}")
        elif program.healthcheck:
            probe = self.add_pex(
                script_name, f"-{script_name}", {"entry_point": program.healthcheck}
            )
            self.add_entry_point(script_name, probe)


def _application(entry_point: str) -> str:
    """The object reference of an application, as a server imports it from a PEX."""
    module, _, attribute = entry_point.partition(":")
    return f"{module[:-3] if module.endswith('.py') else module}:{attribute}".replace("/", ".")


def _probe_name(name: str) -> str:
    return f"{name}-healthcheck" if name else CONSOLE_SCRIPTS["healthcheck"]


def _add_image(
    generator: _Generator,
    base: str,
    layers: str,
    repository: str,
    config: ImageConfig,
    published: PublishedImage,
) -> None:
    """Adds the image of a Docker Engine, and what it is built from."""
    service = generator.service
    skipped = published != PublishedImage.image and Artifact.oci in generator.artifacts
    deps = generator.add(
        DepsImageTarget,
        "deps",
        {DepsImageField.alias: base, DepsImageLayersField.alias: [layers]},
    )
    app = generator.add(AppLayerTarget, "app", {AppLayersField.alias: [layers]})
    skip_push = service[DockerImageSkipPushField]
    passed, written = divided(service[ServiceLabelsField] or {})
    generator.add(
        ServiceImageTarget,
        "image",
        {
            Dependencies.alias: [app],
            "source": None,
            # Docker tells builds from each other by the folder that it is given. Of two builds
            # with one folder's name it takes a file from the first for the second as well, if
            # path, size and time of change are equal; and these Dockerfiles have one name.
            DockerImageContextRootField.alias: layers_folder(service.address),
            "instructions": instructions(
                deps, [f"{name}.tar" for name in CODE_LAYERS], config, written
            ),
            DockerImageTagsField.alias: service[DockerImageTagsField],
            ServiceRepositoryField.alias: repository,
            DockerImageRegistriesField.alias: service[DockerImageRegistriesField],
            DockerImageSkipPushField.alias: skip_push or skipped,
            PublishedInsteadField.alias: (
                service.address.create_generated("oci").spec if skipped and not skip_push else None
            ),
            "image_labels": passed or None,
            "output_path": dist_path(service.address, ".docker-info.json"),
        },
    )


@rule
async def generate_from_python_service(
    request: GenerateFromPythonService, union_membership: UnionMembership, inseam: InseamSubsystem
) -> GeneratedTargets:
    address = request.template_address
    service = _Service(address, request.template)
    base = service[ServiceBaseField] or inseam.base
    if not base:
        raise InvalidFieldException(
            f"The target {address} has no `{ServiceBaseField.alias}`, and the option [inseam].base"
            " is not set. Set one of them to the address of a `debian_base` or a"
            " `registry_base`."
        )
    base = f"//{address.spec_path}{base}" if base.startswith(":") else base
    named = service[ServicePackageField]
    artifacts = inseam.package if named is None else [Artifact(name) for name in named]
    generator = _Generator(service, artifacts, common_fields(request.generator), union_membership)
    programs = service.programs()
    started = service[ServiceScriptField]
    dependencies = request.template.get(ServiceDependenciesField.alias)
    if started:
        # The code that it loads is only known from `dependencies`.
        probes = ServiceProgram(
            started,
            "",
            healthcheck=service[ServiceHealthcheckField],
            healthcheck_path=service[ServiceHealthcheckPathField],
        )
        fields = {"script": started, Dependencies.alias: dependencies}
        generator.pexes.append(generator.add_pex("pex", "", fields))
        generator.add_probe(probes, "")
        default, others = probes, programs
    else:
        default, others = programs[0], programs[1:]
        generator.add_program(default, "", dependencies)
    for program in others:
        generator.add_program(program, program.name, dependencies)
    user = service[UserField]
    layers = generator.add(
        VenvLayersTarget,
        "layers",
        {
            LayersServiceField.alias: generator.pexes,
            LayersEntryPointsField.alias: generator.entry_points,
            LayersScriptsField.alias: [started] if started else [],
            LayersWritableDirsField.alias: [
                f"{user.partition(':')[0]}:{path}" for path in service[WritableDirsField]
            ],
            LayersSharedField.alias: service[ServiceLayersField],
            LayersBaseField.alias: [base],
            InitField.alias: service[InitField],
            AllowedFindingsField.alias: service[AllowedFindingsField],
            LayersSkipPackageField.alias: Artifact.layers not in artifacts,
        },
    )
    repository = service[ServiceRepositoryField] + service.suffix()
    if not address.spec_path:
        # The root has no name, which Pants' docker backend would take for one.
        repository = repository.replace("{directory}", "{name}")
    config = _config(service, default, "", service[ServiceArgsField] or default.args)
    if Artifact.image in artifacts:
        _add_image(generator, base, layers, repository, config, inseam.publish)
    if Artifact.oci not in artifacts:
        return GeneratedTargets(request.generator, generator.targets)
    images = {"oci": (config, repository, "")}
    for program in others:
        images[program.name] = (
            _config(service, program, program.name, program.args),
            f"{repository}-{program.name}",
            f"-{program.name}",
        )
    for name, (config, repository, suffix) in images.items():
        generator.add(
            OciImageTarget,
            name,
            {
                ServiceBaseField.alias: base,
                OciLayersField.alias: [layers],
                OciEntryPointField.alias: config.entrypoint,
                WorkingDirField.alias: config.working_dir,
                OciHealthcheckField.alias: config.healthcheck and config.healthcheck.command,
                ServiceArgsField.alias: config.cmd,
                EnvField.alias: _own_env(service),
                UserField.alias: user,
                PortsField.alias: config.ports,
                VolumesField.alias: config.volumes,
                WritableDirsField.alias: service[WritableDirsField],
                StopSignalField.alias: config.stop_signal,
                AllowedFindingsField.alias: service[AllowedFindingsField],
                OciPlatformsField.alias: service[OciPlatformsField],
                OciCompressionField.alias: service[OciCompressionField],
                OciRepositoryField.alias: repository,
                OciRegistriesField.alias: service[DockerImageRegistriesField],
                OciTagsField.alias: service[DockerImageTagsField],
                OciLabelsField.alias: service[ServiceLabelsField],
                OciSkipPushField.alias: service[DockerImageSkipPushField]
                or (inseam.publish != PublishedImage.oci and Artifact.image in artifacts),
                "output_path": dist_path(address, f"{suffix}.oci"),
            },
        )
    return GeneratedTargets(request.generator, generator.targets)


def _own_env(service: _Service) -> dict[str, str]:
    """The environment that a service declares, with what its server and probes need."""
    env = dict(service[EnvField] or {})
    served = [one for one in service.programs() if one.server]
    probed = service[ServiceHealthcheckPathField] or any(
        one.healthcheck_path for one in service.programs()
    )
    if served or probed:
        ports = service[PortsField]
        env.setdefault("PORT", ports[0].partition("/")[0] if ports else PORT)
    workers = service[ServiceWorkersField]
    if workers is not None:
        if not served or workers < 1:
            raise service.fail("has `workers`, which must be a positive number, for a `server`.")
        env.setdefault("WEB_CONCURRENCY", str(workers))
    return env


def _config(service: _Service, program: ServiceProgram, name: str, args: Any) -> ImageConfig:
    """What the image that starts a program says of itself. name: "" for the default program."""
    probe = program.healthcheck or program.healthcheck_path
    env = _own_env(service)
    ports = service[PortsField]
    if not ports and program.server:
        ports = (env["PORT"],)
    return ImageConfig(
        env=environment(env),
        user=service[UserField],
        ports=ports,
        entrypoint=command(program.name, service[InitField]),
        cmd=tuple(args or ()),
        working_dir=service[ServiceWorkingDirField],
        stop_signal=service[StopSignalField],
        healthcheck=Healthcheck((script(_probe_name(name)),)) if probe else None,
        volumes=tuple(service[VolumesField]),
    )


def rules() -> list[Any]:
    code = ServiceCodeTarget.alias
    leave_to_inseam(PexBinaryFieldSet, lambda target: target.alias == code)
    return [*collect_rules(), UnionRule(GenerateTargetsRequest, GenerateFromPythonService)]
