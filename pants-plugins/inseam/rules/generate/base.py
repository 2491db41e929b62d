"""Turns declarations into the targets that they stand for."""

from __future__ import annotations

from typing import Any

from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.engine.target import (
    Dependencies,
    DescriptionField,
    GeneratedTargets,
    GenerateTargetsRequest,
    Tags,
    Target,
)
from pants.engine.unions import UnionMembership, UnionRule

from inseam.compat import rule
from inseam.formats.python.archive import parse_location
from inseam.plan.packaging import Artifact
from inseam.rules.base.default_base import is_ready
from inseam.subsystem import DEFAULT_BASE, InseamSubsystem
from inseam.targets.base import (
    BaseImageRootfsField,
    BaseImageTarget,
    DebianBaseTarget,
    DebianBuilderTarget,
    DebianFilesField,
    DebianPackagesField,
    DebianPackagesTarget,
    DebianRootfsTarget,
    ImageReferenceField,
    PythonArchivesField,
    RegistryBaseTarget,
    RegistryImageTarget,
    RequiredImageReferenceField,
)


class GenerateFromDebianBase(GenerateTargetsRequest[DebianBaseTarget]):
    generate_from = DebianBaseTarget


class GenerateFromDebianBuilder(GenerateTargetsRequest[DebianBuilderTarget]):
    generate_from = DebianBuilderTarget


class GenerateFromRegistryBase(GenerateTargetsRequest[RegistryBaseTarget]):
    generate_from = RegistryBaseTarget


def service_of(generated: Address) -> Address:
    """The `python_service` that generated the target at an address, with its parameters."""
    owner = generated.maybe_convert_to_target_generator()
    return owner.parametrize(generated.parameters) if generated.parameters else owner


def file_name(address: Address) -> str:
    """The name of a target with its parameters, for use in paths: "app@base=prod"."""
    return address.target_name + "".join(
        f"{',' if number else '@'}{key}={value}".replace("/", ".").replace(":", ".")
        for number, (key, value) in enumerate(sorted(address.parameters.items()))
    )


def layers_folder(address: Address) -> str:
    """Where the layers of the `python_service` at `address` are in build contexts."""
    return f"{address.spec_path or '.'}/{file_name(address)}.layers"


def rootfs_folder(address: Address) -> str:
    """Where the root filesystem of the `debian_base` at `address` lies in build contexts."""
    return f"{address.spec_path or '.'}/{file_name(address)}.rootfs"


def dist_path(address: Address, suffix: str) -> str:
    """Path of an artifact of the target at `address` in the folder of artifacts."""
    folder = address.spec_path.replace("/", ".")
    return f"{folder}/{file_name(address)}{suffix}".lstrip("/")


def common_fields(generator: Target) -> dict[str, Any]:
    """The fields of every target that a target generates."""
    return {
        Tags.alias: generator[Tags].value,
        DescriptionField.alias: generator[DescriptionField].value,
    }


def _archives_below(base: Target) -> list[str]:
    """The paths of a base's CPython archives that are in its folder, relative to that folder."""
    if not base.has_field(PythonArchivesField):
        return []
    archives = map(parse_location, (base[PythonArchivesField].value or {}).values())
    paths = (archive.location for archive in archives if not archive.is_url)
    start = f"{base.address.spec_path}/" if base.address.spec_path else ""
    return sorted({path[len(start) :] for path in paths if path.startswith(start)})


def _debian_targets(
    request: GenerateTargetsRequest[Any], union_membership: UnionMembership, *, image: bool
) -> GeneratedTargets:
    """The list of packages, the root filesystem and, if wanted, the image of Debian packages."""
    base = request.generator
    address = request.template_address

    def generated(target_type: type[Target], name: str, fields: dict[str, Any]) -> Target:
        return target_type(
            {**common_fields(base), **fields},
            address.create_generated(name),
            union_membership,
            residence_dir=address.spec_path,
        )

    targets = []
    files = _archives_below(base)
    # A list that comes with Inseam is not a file of the repository.
    if str(address) != DEFAULT_BASE and not is_ready(base[DebianPackagesField].value):
        files.append(base[DebianPackagesField].value)
    if files:
        packages = {DebianFilesField.alias: files}
        targets.append(generated(DebianPackagesTarget, "packages", packages))
    rootfs = {
        **{field.alias: base[field].value for field in base.copied_fields},
        Dependencies.alias: [f"{address}#packages"] if files else [],
    }
    targets.append(generated(DebianRootfsTarget, "rootfs", rootfs))
    if image:
        fields = {BaseImageRootfsField.alias: [f"{address}#rootfs"]}
        targets.append(generated(BaseImageTarget, "image", fields))
    return GeneratedTargets(base, targets)


@rule
async def generate_from_debian_base(
    request: GenerateFromDebianBase, union_membership: UnionMembership, inseam: InseamSubsystem
) -> GeneratedTargets:
    image = Artifact.image in inseam.package
    return _debian_targets(request, union_membership, image=image)


@rule
async def generate_from_debian_builder(
    request: GenerateFromDebianBuilder, union_membership: UnionMembership
) -> GeneratedTargets:
    return _debian_targets(request, union_membership, image=False)


@rule
async def generate_from_registry_base(
    request: GenerateFromRegistryBase, union_membership: UnionMembership, inseam: InseamSubsystem
) -> GeneratedTargets:
    base = request.generator
    if Artifact.image not in inseam.package:
        return GeneratedTargets(base, [])
    image = RegistryImageTarget(
        {**common_fields(base), ImageReferenceField.alias: base[RequiredImageReferenceField].value},
        request.template_address.create_generated("image"),
        union_membership,
        residence_dir=request.template_address.spec_path,
    )
    return GeneratedTargets(base, [image])


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateTargetsRequest, GenerateFromDebianBase),
        UnionRule(GenerateTargetsRequest, GenerateFromDebianBuilder),
        UnionRule(GenerateTargetsRequest, GenerateFromRegistryBase),
    ]
