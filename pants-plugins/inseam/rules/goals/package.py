"""Rules of the goal `package`: OCI images, and descriptions of layers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.backend.docker.package_types import BuiltDockerImage
from pants.core.goals.package import (
    BuiltPackage,
    BuiltPackageArtifact,
    OutputPathField,
    PackageFieldSet,
)
from pants.engine.addresses import Address
from pants.engine.fs import AddPrefix, MergeDigests
from pants.engine.rules import collect_rules
from pants.engine.target import Target, WrappedTargetRequest
from pants.engine.unions import UnionMembership, UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    add_prefix,
    implicitly,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from inseam.formats.failure import Failure
from inseam.formats.names import relative_path
from inseam.formats.oci.layer import LAYERS_FILE, Layer, dump_layers
from inseam.formats.oci.metadata import METADATA
from inseam.plan.findings import Finding
from inseam.rules.generate.base import dist_path, service_of
from inseam.rules.image.build import PackagedRequest, packaged_image
from inseam.rules.image.checks import findings_of, shown_findings
from inseam.rules.image.contents import contents_of_layers
from inseam.rules.image.dist import STORE, in_dist
from inseam.rules.layers.code import CodeLayersRequest, code_layers
from inseam.rules.layers.service import ServiceRequest, dependency_layers
from inseam.rules.layers.wheels import SharedLayerRequest, shared_layer
from inseam.rules.programs.digests import written
from inseam.subsystem import InseamSubsystem
from inseam.targets.container import OciPlatformsField
from inseam.targets.image import LayoutImageField, OciLayersField, OciRepositoryField
from inseam.targets.layer import (
    LayersSkipPackageField,
    LayersSourcesField,
    SharedLayerSourcesField,
)


class LayoutArtifact(BuiltDockerImage):
    """The `image.json` of an image that no Docker Engine has.

    If a `docker_image` starts from it, Pants' Docker backend treats it as an image in the engine
    and reads its tags, which raises Failure here. Otherwise, the error would be a KeyError.
    """

    address: str

    def __init__(self, address: str, relpath: str, lines: tuple[str, ...]) -> None:
        values = {"relpath": relpath, "extra_log_lines": lines, "image_id": "", "address": address}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def tags(self) -> Any:  # type: ignore[override]
        address = self.address
        raise Failure(
            f"A `docker_image` cannot start from {address}, which no Docker Engine has. Use"
            " `#image` instead of `#oci`: the same layers, built by the engine."
        )

    def _key(self) -> tuple[Any, ...]:
        return (self.relpath, self.extra_log_lines)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayoutArtifact) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"LayoutArtifact({self.relpath!r})"


def layout_path(output_path: OutputPathField, ending: str = "oci") -> str:
    """The path of an image's layout in `dist`; raises Failure for a path that leads out of `dist`,
    or into the folder of the blobs that all images share.
    """
    what = f"`output_path` of {output_path.address}"
    path = relative_path(output_path.value_or_default(file_ending=ending), what)
    if path.split("/")[0] == STORE:
        raise Failure(
            f"{what} is {path!r}, but the folder {STORE} in `dist` contains the blobs of all"
            " images. Choose another path."
        )
    return path


def packaged_request(
    address: Address, platforms: OciPlatformsField, output_path: OutputPathField
) -> PackagedRequest:
    """The request that packages an `oci_image`."""
    return PackagedRequest(address, platforms.value, layout_path(output_path))


@dataclass(frozen=True)
class OciFieldSet(PackageFieldSet):
    required_fields = (OciLayersField, OciRepositoryField)

    platforms: OciPlatformsField
    output_path: OutputPathField


@rule(desc="Package an OCI image", level=LogLevel.DEBUG)
async def package_oci_image(field_set: OciFieldSet) -> BuiltPackage:
    request = packaged_request(field_set.address, field_set.platforms, field_set.output_path)
    image = await in_dist(request)
    path = f"{request.layout}/{METADATA}"
    digest = await written({path: image.files[METADATA]})
    line = f"{', '.join(image.metadata.references)}: {image.metadata.digest}"
    # Pants removes the path of an artifact before writing it: so name the file, not the layout.
    return BuiltPackage(digest, (LayoutArtifact(str(field_set.address), path, (line,)),))


@dataclass(frozen=True)
class LayoutFieldSet(PackageFieldSet):
    required_fields = (LayoutImageField,)

    image: LayoutImageField
    output_path: OutputPathField


@rule(desc="Package a layout", level=LogLevel.DEBUG)
async def package_layout(field_set: LayoutFieldSet) -> BuiltPackage:
    addresses = await resolve_unparsed_address_inputs(
        field_set.image.to_unparsed_address_inputs(), **implicitly()
    )
    wrapped = await resolve_target(
        WrappedTargetRequest(addresses[0], description_of_origin="the image of a layout"),
        **implicitly(),
    )
    target = wrapped.target
    if not target.has_field(OciRepositoryField):
        raise Failure(
            f"The `image` of {field_set.address} is {target.address}, a `{target.alias}`. It must"
            " be an `oci_image`, such as the `#oci` of a `python_service`."
        )
    request = packaged_request(target.address, target[OciPlatformsField], target[OutputPathField])
    image = await packaged_image(request, **implicitly())
    blobs = [digest for one in image.images for digest in (one.code, *one.blobs)]
    everything = await merge_digests(MergeDigests([await written(image.files), *blobs]))
    path = layout_path(field_set.output_path, ending="oci-layout")
    digest = await add_prefix(AddPrefix(everything, path))
    return BuiltPackage(digest, (BuiltPackageArtifact(path, _lines(image.findings)),))


def _lines(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The lines that Pants prints below the path of an artifact."""
    return tuple(f"warning: {finding}" for finding in findings)


async def _layers_package(
    layers: list[Layer], path: str, lines: tuple[str, ...] = ()
) -> BuiltPackage:
    digest = await written({path: dump_layers(layers)})
    return BuiltPackage(digest, (BuiltPackageArtifact(path, lines),))


@dataclass(frozen=True)
class LayersFieldSet(PackageFieldSet):
    required_fields = (LayersSourcesField,)

    sources: LayersSourcesField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        return bool(tgt.get(LayersSkipPackageField).value)


@rule(desc="Package layers", level=LogLevel.DEBUG)
async def package_layers(
    field_set: LayersFieldSet, inseam: InseamSubsystem, membership: UnionMembership
) -> BuiltPackage:
    service = service_of(field_set.address)
    request = ServiceRequest(field_set.address)
    dependencies = await dependency_layers(request, **implicitly())
    code = await code_layers(CodeLayersRequest(request), **implicitly())
    wrapped = await resolve_target(
        WrappedTargetRequest(field_set.address, description_of_origin="layers"), **implicitly()
    )
    contents = contents_of_layers(request, dependencies)
    found = await findings_of(contents, membership, inseam)
    findings = shown_findings(found, wrapped.target, membership, inseam, complete=False)
    unneeded = tuple(
        f"{item.layer} contains {item.distribution} ({item.size:,} bytes), which {service} does"
        " not need"
        for item in dependencies.unneeded
    )
    layers = [layer.layer for layer in (*dependencies.layers, *code.layers)]
    lines = (*_lines(findings), *unneeded)
    return await _layers_package(layers, dist_path(service, f".layers/{LAYERS_FILE}"), lines)


@dataclass(frozen=True)
class SharedLayerFieldSet(PackageFieldSet):
    required_fields = (SharedLayerSourcesField,)

    sources: SharedLayerSourcesField


@rule(desc="Package a shared layer", level=LogLevel.DEBUG)
async def package_shared_layer(field_set: SharedLayerFieldSet) -> BuiltPackage:
    shared = await shared_layer(SharedLayerRequest(field_set.address), **implicitly())
    path = dist_path(field_set.address, f"/{LAYERS_FILE}")
    return await _layers_package([shared.layer.layer], path)


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(PackageFieldSet, OciFieldSet),
        UnionRule(PackageFieldSet, LayoutFieldSet),
        UnionRule(PackageFieldSet, LayersFieldSet),
        UnionRule(PackageFieldSet, SharedLayerFieldSet),
    ]
