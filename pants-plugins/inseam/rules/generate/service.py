"""Turns a `python_service` into the targets that it stands for."""

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
from pants.engine.rules import collect_rules
from pants.engine.target import Dependencies, GeneratedTargets, GenerateTargetsRequest, Target
from pants.engine.unions import UnionMembership, UnionRule

from inseam.compat import rule
from inseam.compat.patches import leave_to_inseam
from inseam.formats.python.code import APP_LAYER, LIBRARIES_LAYER
from inseam.formats.python.named_modules import SETTINGS
from inseam.formats.python.servers import application
from inseam.plan.dockerfile import divided, instructions
from inseam.plan.packaging import Artifact
from inseam.rules.generate.base import common_fields, dist_path, layers_folder
from inseam.rules.generate.declared_service import DeclaredService
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
    StopSignalField,
    UserField,
    VolumesField,
    WorkingDirField,
    WritableDirsField,
)
from inseam.targets.health import HealthcheckOptionsField, ProbesField
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
    ConsoleScript,
    DepsImageField,
    DepsImageLayersField,
    DepsImageTarget,
    LayersBaseField,
    LayersConsoleScriptsField,
    LayersScriptsField,
    LayersServiceField,
    LayersSharedField,
    LayersSkipPackageField,
    LayersWritableDirsField,
    PreferField,
    VenvLayersTarget,
)
from inseam.targets.named_modules import NamedModulesField
from inseam.targets.programs import ServiceProgram, ServiceScriptField
from inseam.targets.service import (
    PublishedInsteadField,
    PythonServiceTarget,
    ServiceDependenciesField,
    ServiceImageTarget,
    ServiceLabelsField,
    ServiceLayersField,
    ServiceRepositoryField,
)

# The layers of a service's code, lowest first.
CODE_LAYERS = (LIBRARIES_LAYER, APP_LAYER)

# The fields of all generated `pex_binary` targets, besides the dependencies.
_OF_PEXES = ("resolve", "interpreter_constraints")


class GenerateFromPythonService(GenerateTargetsRequest[PythonServiceTarget]):
    generate_from = PythonServiceTarget


class _Generator:
    """Collects the targets that a service stands for."""

    def __init__(
        self,
        service: DeclaredService,
        artifacts: Collection[Artifact],
        fields: Mapping[str, Any],
        membership: UnionMembership,
    ) -> None:
        self.service = service
        self.artifacts = artifacts
        self.targets: list[Target] = []
        self.scripts: list[ConsoleScript] = []
        """The console scripts of its programs and their probes."""
        self.code: list[str] = []
        """The addresses of the targets whose code is in the layers."""
        self._dependencies = service.raw(ServiceDependenciesField.alias).get(
            ServiceDependenciesField.alias
        )
        self._fields = fields
        self._membership = membership

    def add(self, cls: type[Target], name: str, fields: Mapping[str, Any]) -> str:
        """Adds a generated target, and returns its address."""
        address = self.service.address.create_generated(name)
        target = cls(
            {**self._fields, **fields},
            address,
            self._membership,
            residence_dir=address.spec_path,
        )
        self.targets.append(target)
        return address.spec

    def add_script(self) -> None:
        """Adds the console script of a distribution that the service starts, and its probe."""
        # Which code it loads is only known from `dependencies`.
        fields = {
            "script": self.service[ServiceScriptField],
            Dependencies.alias: self._dependencies,
        }
        self.code.append(self._add_pex("pex", "", fields))
        self._add_probe(self.service.default)

    def add_program(self, program: ServiceProgram) -> None:
        """Adds the code of a program, and its probe."""
        name = self.service.name_of(program)
        pex, suffix = (f"{name}-pex", f"-{name}") if name else ("pex", "")
        needs = {Dependencies.alias: self._dependencies}
        if program.server:
            # The PEX runs the server, as the image does. The application's code is a separate
            # target, so that Pants finds what it imports.
            fields = {**needs, "entry_point": program.entry_point}
            code = self._add_pex(f"{name}-code" if name else "code", f"{suffix}-code", fields)
            runs = {
                "entry_point": program.server,
                "args": [*_application(program), *program.args],
                Dependencies.alias: [*(self._dependencies or ()), code],
            }
            self.code.append(self._add_pex(pex, suffix, runs))
        else:
            code = self._add_pex(pex, suffix, {**needs, "entry_point": program.entry_point})
        self.code.append(code)
        self.scripts.append(
            ConsoleScript(
                program.name, code, server=program.server or "", is_factory=program.factory
            )
        )
        self._add_probe(program)

    def _add_probe(self, program: ServiceProgram) -> None:
        self.service.check_probes(program)
        name = self.service.probe_name(program)
        if program.healthcheck_path:
            check = program.healthcheck_options.check
            self.scripts.append(
                ConsoleScript(name, probed_path=program.healthcheck_path, check=check)
            )
        elif program.healthcheck:
            code = self._add_pex(name, f"-{name}", {"entry_point": program.healthcheck})
            self.code.append(code)
            self.scripts.append(ConsoleScript(name, code))

    def _add_pex(self, name: str, suffix: str, fields: Mapping[str, Any]) -> str:
        """Adds the target with the code of a program: a `pex_binary`, if PEXes are packaged."""
        settings = self.service.env.get(SETTINGS)
        named = {NamedModulesField.alias: [settings]} if settings else {}
        fields = {**self.service.raw(*_OF_PEXES), **named, **fields}
        if Artifact.pex not in self.artifacts:
            return self.add(ServiceCodeTarget, f"{name}-sources", fields)
        output = dist_path(self.service.address, f"{suffix}.pex")
        return self.add(PexBinary, name, {**fields, "output_path": output})


def _application(program: ServiceProgram) -> tuple[str, ...]:
    """The arguments that name an application to its server, which imports it from a PEX."""
    module, _, attribute = program.entry_point.partition(":")
    module = (module[:-3] if module.endswith(".py") else module).replace("/", ".")
    return application(program.server or "", f"{module}:{attribute}", program.factory)


def _add_layers(generator: _Generator, base: str) -> str:
    """Adds the layers of a service, and returns their address."""
    service = generator.service
    user = service[UserField].partition(":")[0]
    script = service[ServiceScriptField]
    return generator.add(
        VenvLayersTarget,
        "layers",
        {
            LayersServiceField.alias: generator.code,
            LayersConsoleScriptsField.alias: tuple(generator.scripts),
            LayersScriptsField.alias: [script] if script else [],
            LayersWritableDirsField.alias: [
                f"{user}:{path}" for path in service[WritableDirsField]
            ],
            LayersSharedField.alias: service[ServiceLayersField],
            LayersBaseField.alias: [base],
            PreferField.alias: service[PreferField],
            InitField.alias: service[InitField],
            AllowedFindingsField.alias: service[AllowedFindingsField],
            LayersSkipPackageField.alias: Artifact.layers not in generator.artifacts,
        },
    )


def _add_engine_image(
    generator: _Generator, base: str, layers: str, published: PublishedImage
) -> None:
    """Adds the image that a Docker Engine builds, and what it is built from."""
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
            # Docker distinguishes builds by the folder that it is given. If two builds have the
            # same folder name, it reuses a file of the first in the second if path, size and
            # modification time are equal; and these Dockerfiles have the same name.
            DockerImageContextRootField.alias: layers_folder(service.address),
            "instructions": instructions(
                deps,
                [f"{name}.tar" for name in CODE_LAYERS],
                service.config(service.default),
                written,
            ),
            DockerImageTagsField.alias: service[DockerImageTagsField],
            ServiceRepositoryField.alias: service.repository,
            DockerImageRegistriesField.alias: service[DockerImageRegistriesField],
            DockerImageSkipPushField.alias: skip_push or skipped,
            PublishedInsteadField.alias: (
                service.address.create_generated("oci").spec if skipped and not skip_push else None
            ),
            "image_labels": passed or None,
            "output_path": dist_path(service.address, ".docker-info.json"),
        },
    )


def _add_oci_image(
    generator: _Generator,
    base: str,
    layers: str,
    published: PublishedImage,
    program: ServiceProgram,
) -> None:
    """Adds the image that starts a program, built without an engine."""
    service = generator.service
    name = service.name_of(program)
    suffix = f"-{name}" if name else ""
    config = service.config(program)
    skipped = published != PublishedImage.oci and Artifact.image in generator.artifacts
    generator.add(
        OciImageTarget,
        name or "oci",
        {
            ServiceBaseField.alias: base,
            OciLayersField.alias: [layers],
            OciEntryPointField.alias: config.entrypoint,
            WorkingDirField.alias: config.working_dir,
            OciHealthcheckField.alias: config.healthcheck and config.healthcheck.command,
            HealthcheckOptionsField.alias: program.healthcheck_options,
            ProbesField.alias: service.probes(program),
            ServiceArgsField.alias: config.cmd,
            EnvField.alias: service.env,
            UserField.alias: service[UserField],
            PortsField.alias: config.ports,
            VolumesField.alias: config.volumes,
            WritableDirsField.alias: service[WritableDirsField],
            StopSignalField.alias: config.stop_signal,
            AllowedFindingsField.alias: service[AllowedFindingsField],
            OciPlatformsField.alias: service[OciPlatformsField],
            OciCompressionField.alias: service[OciCompressionField],
            OciRepositoryField.alias: service.repository + suffix,
            OciRegistriesField.alias: service[DockerImageRegistriesField],
            OciTagsField.alias: service[DockerImageTagsField],
            OciLabelsField.alias: service[ServiceLabelsField],
            OciSkipPushField.alias: service[DockerImageSkipPushField] or skipped,
            "output_path": dist_path(service.address, f"{suffix}.oci"),
        },
    )


@rule
async def generate_from_python_service(
    request: GenerateFromPythonService, union_membership: UnionMembership, inseam: InseamSubsystem
) -> GeneratedTargets:
    service = DeclaredService(request.template_address, request.template)
    base = service.base(inseam)
    artifacts = service.artifacts(inseam)
    generator = _Generator(service, artifacts, common_fields(request.generator), union_membership)
    if service[ServiceScriptField]:
        generator.add_script()
    else:
        generator.add_program(service.default)
    for program in service.others:
        generator.add_program(program)
    layers = _add_layers(generator, base)
    if Artifact.image in artifacts:
        _add_engine_image(generator, base, layers, inseam.publish)
    if Artifact.oci in artifacts:
        for program in (service.default, *service.others):
            _add_oci_image(generator, base, layers, inseam.publish, program)
    return GeneratedTargets(request.generator, generator.targets)


def rules() -> list[Any]:
    code = ServiceCodeTarget.alias
    leave_to_inseam(PexBinaryFieldSet, lambda target: target.alias == code)
    return [*collect_rules(), UnionRule(GenerateTargetsRequest, GenerateFromPythonService)]
