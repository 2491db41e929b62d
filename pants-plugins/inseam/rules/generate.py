"""Turns declarations into the targets that they stand for."""

from __future__ import annotations

from typing import Any

from pants.backend.docker.target_types import (
    DockerImageContextRootField,
    DockerImageRegistriesField,
    DockerImageSkipPushField,
    DockerImageTagsField,
    DockerImageTarget,
)
from pants.backend.python.target_types import PexBinary
from pants.engine.addresses import Address
from pants.engine.rules import collect_rules, rule
from pants.engine.target import (
    Dependencies,
    DescriptionField,
    GeneratedTargets,
    GenerateTargetsRequest,
    InvalidFieldException,
    Tags,
    Target,
)
from pants.engine.unions import UnionMembership, UnionRule

from inseam.formats.oci.config import Healthcheck, ImageConfig
from inseam.formats.python.code import APP_LAYER, LIBRARIES_LAYER
from inseam.plan.container import HEALTHCHECK, STOP_SIGNAL, WORKING_DIR, command, environment
from inseam.plan.dockerfile import instructions
from inseam.subsystem import InseamSubsystem, PublishedImage
from inseam.targets.base import (
    BaseImageRootfsField,
    BaseImageTarget,
    DebianBaseTarget,
    DebianFilesField,
    DebianPackagesField,
    DebianPackagesTarget,
    DebianRootfsTarget,
    ImageReferenceField,
    RegistryBaseTarget,
    RegistryImageTarget,
    RequiredImageReferenceField,
)
from inseam.targets.container import (
    EnvField,
    InitField,
    OciCompressionField,
    OciPlatformsField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    UserField,
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
    OciWorkingDirField,
)
from inseam.targets.layer import (
    AppLayersField,
    AppLayerTarget,
    DepsImageField,
    DepsImageLayersField,
    DepsImageTarget,
    LayersBaseField,
    LayersServiceField,
    LayersSharedField,
    VenvLayersTarget,
)
from inseam.targets.service import (
    PythonServiceTarget,
    ServiceDependenciesField,
    ServiceEntryPointField,
    ServiceHealthcheckField,
    ServiceLabelsField,
    ServiceLayersField,
    ServiceRepositoryField,
)

# The layers of a service's code, lowest first.
CODE_LAYERS = (LIBRARIES_LAYER, APP_LAYER)


class GenerateFromPythonService(GenerateTargetsRequest[PythonServiceTarget]):
    generate_from = PythonServiceTarget


class GenerateFromDebianBase(GenerateTargetsRequest[DebianBaseTarget]):
    generate_from = DebianBaseTarget


class GenerateFromRegistryBase(GenerateTargetsRequest[RegistryBaseTarget]):
    generate_from = RegistryBaseTarget


def service_of(generated: Address) -> Address:
    """The `python_service` that generated the target at an address."""
    return generated.maybe_convert_to_target_generator()


def layers_folder(address: Address) -> str:
    """Where the layers of the `python_service` at `address` lie in build contexts."""
    return f"{address.spec_path or '.'}/{address.target_name}.layers"


def rootfs_folder(address: Address) -> str:
    """Where the root filesystem of the `debian_base` at `address` lies in build contexts."""
    return f"{address.spec_path or '.'}/{address.target_name}.rootfs"


def dist_path(address: Address, suffix: str) -> str:
    """Path of an artifact of the target at `address` in the folder of artifacts."""
    folder = address.spec_path.replace("/", ".") or "."
    return f"{folder}/{address.target_name}{suffix}"


def _common(generator: Target) -> dict[str, Any]:
    return {
        Tags.alias: generator[Tags].value,
        DescriptionField.alias: generator[DescriptionField].value,
    }


def _normalized(base: str, address: Address) -> str:
    """`base` as an address that means the same from everywhere in the repository."""
    return f"//{address.spec_path}{base}" if base.startswith(":") else base


@rule
async def generate_from_python_service(
    request: GenerateFromPythonService, union_membership: UnionMembership, inseam: InseamSubsystem
) -> GeneratedTargets:
    service = request.generator
    address = request.template_address
    base = service[ServiceBaseField].value or inseam.base
    if not base:
        raise InvalidFieldException(
            f"The target {address} has no `{ServiceBaseField.alias}`, and the option [inseam].base"
            " is not set. Set one of them to the address of a `debian_base` or a `registry_base`."
        )
    base = _normalized(base, address)
    resolve = {
        key: value
        for key, value in request.template.items()
        if key != ServiceDependenciesField.alias
    }
    common = _common(service)

    def generated(cls: type[Target], name: str, fields: dict[str, Any]) -> Target:
        return cls(
            {**common, **fields},
            address.create_generated(name),
            union_membership,
            residence_dir=address.spec_path,
        )

    def reference(name: str) -> str:
        return address.create_generated(name).spec

    targets = [
        generated(
            PexBinary,
            "pex",
            {
                **resolve,
                "entry_point": service[ServiceEntryPointField].value,
                Dependencies.alias: request.template.get(ServiceDependenciesField.alias),
                "output_path": dist_path(address, ".pex"),
            },
        )
    ]
    probe = service[ServiceHealthcheckField].value
    if probe:
        targets.append(
            generated(
                PexBinary,
                "healthcheck",
                {
                    **resolve,
                    "entry_point": probe,
                    "output_path": dist_path(address, "-healthcheck.pex"),
                },
            )
        )
    targets.append(
        generated(
            VenvLayersTarget,
            "layers",
            {
                LayersServiceField.alias: [
                    reference("pex"),
                    *([reference("healthcheck")] if probe else []),
                ],
                LayersSharedField.alias: service[ServiceLayersField].value,
                LayersBaseField.alias: [base],
                InitField.alias: service[InitField].value,
            },
        )
    )
    targets.append(
        generated(
            DepsImageTarget,
            "deps",
            {DepsImageField.alias: base, DepsImageLayersField.alias: [reference("layers")]},
        )
    )
    targets.append(generated(AppLayerTarget, "app", {AppLayersField.alias: [reference("layers")]}))
    config = ImageConfig(
        env=environment(service[EnvField].value or {}),
        user=service[UserField].value,
        ports=service[PortsField].value,
        entrypoint=command(service[InitField].value),
        cmd=service[ServiceArgsField].value,
        working_dir=WORKING_DIR,
        stop_signal=STOP_SIGNAL,
        healthcheck=Healthcheck((HEALTHCHECK,)) if probe else None,
    )
    targets.append(
        generated(
            DockerImageTarget,
            "image",
            {
                Dependencies.alias: [reference("app")],
                "source": None,
                # Docker tells builds from each other by the folder that it is given. Of two builds
                # with one folder's name it takes a file from the first for the second as well, if
                # path, size and time of change are equal; and these Dockerfiles have one name.
                DockerImageContextRootField.alias: layers_folder(address),
                "instructions": instructions(
                    reference("deps"), [f"{name}.tar" for name in CODE_LAYERS], config
                ),
                DockerImageTagsField.alias: service[DockerImageTagsField].value,
                ServiceRepositoryField.alias: service[ServiceRepositoryField].value,
                DockerImageRegistriesField.alias: service[DockerImageRegistriesField].value,
                DockerImageSkipPushField.alias: service[DockerImageSkipPushField].value
                or inseam.publish != PublishedImage.image,
                "image_labels": service[ServiceLabelsField].value,
                "output_path": dist_path(address, ".docker-info.json"),
            },
        )
    )
    targets.append(
        generated(
            OciImageTarget,
            "oci",
            {
                ServiceBaseField.alias: base,
                OciLayersField.alias: [reference("layers")],
                OciEntryPointField.alias: config.entrypoint,
                OciWorkingDirField.alias: config.working_dir,
                OciHealthcheckField.alias: [HEALTHCHECK] if probe else None,
                **{
                    field.alias: service[field].value
                    for field in (
                        ServiceArgsField,
                        EnvField,
                        UserField,
                        PortsField,
                        OciPlatformsField,
                        OciCompressionField,
                    )
                },
                OciRepositoryField.alias: service[ServiceRepositoryField].value,
                OciRegistriesField.alias: service[DockerImageRegistriesField].value,
                OciTagsField.alias: service[DockerImageTagsField].value,
                OciLabelsField.alias: service[ServiceLabelsField].value,
                OciSkipPushField.alias: service[DockerImageSkipPushField].value
                or inseam.publish != PublishedImage.oci,
                "output_path": dist_path(address, ".oci"),
            },
        )
    )
    return GeneratedTargets(service, targets)


@rule
async def generate_from_debian_base(
    request: GenerateFromDebianBase, union_membership: UnionMembership
) -> GeneratedTargets:
    base = request.generator
    address = request.template_address

    def generated(target_type: type[Target], name: str, fields: dict[str, Any]) -> Target:
        return target_type(
            {**_common(base), **fields},
            address.create_generated(name),
            union_membership,
            residence_dir=address.spec_path,
        )

    return GeneratedTargets(
        base,
        [
            generated(
                DebianPackagesTarget,
                "packages",
                {DebianFilesField.alias: [base[DebianPackagesField].value]},
            ),
            generated(
                DebianRootfsTarget,
                "rootfs",
                {
                    **{field.alias: base[field].value for field in DebianBaseTarget.copied_fields},
                    Dependencies.alias: [f"{address}#packages"],
                },
            ),
            generated(
                BaseImageTarget, "image", {BaseImageRootfsField.alias: [f"{address}#rootfs"]}
            ),
        ],
    )


@rule
async def generate_from_registry_base(
    request: GenerateFromRegistryBase, union_membership: UnionMembership
) -> GeneratedTargets:
    base = request.generator
    image = RegistryImageTarget(
        {**_common(base), ImageReferenceField.alias: base[RequiredImageReferenceField].value},
        request.template_address.create_generated("image"),
        union_membership,
        residence_dir=request.template_address.spec_path,
    )
    return GeneratedTargets(base, [image])


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateTargetsRequest, GenerateFromPythonService),
        UnionRule(GenerateTargetsRequest, GenerateFromDebianBase),
        UnionRule(GenerateTargetsRequest, GenerateFromRegistryBase),
    ]
