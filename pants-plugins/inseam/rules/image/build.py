"""Rules that make images without a daemon.

They are in one file because they form one chain, from a target's fields to the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.engine.addresses import Address
from pants.engine.fs import (
    Digest,
    MergeDigests,
)
from pants.engine.rules import collect_rules
from pants.engine.target import Target, WrappedTargetRequest
from pants.engine.unions import UnionMembership
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import (
    concurrently,
    implicitly,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from inseam.formats.failure import Failure, failing_in
from inseam.formats.oci.assemble import assemble, image_files, with_documents
from inseam.formats.oci.config import ImageConfig
from inseam.formats.oci.container import Probes
from inseam.formats.oci.index import index_files
from inseam.formats.oci.metadata import METADATA, ImageMetadata, load_metadata
from inseam.formats.python.shared_path import Preference
from inseam.plan.container import USER, environment
from inseam.plan.findings import Finding
from inseam.plan.health import probes_of
from inseam.plan.layering import check_names, check_shared
from inseam.rules.base.base import Base, BaseRequest, find_base
from inseam.rules.generate.base import service_of
from inseam.rules.image.base import BaseOci, BaseOciRequest, base_oci
from inseam.rules.image.checks import findings_of, shown_findings
from inseam.rules.image.contents import (
    BaseContents,
    ImageContents,
    LayerContents,
    frozen_config,
)
from inseam.rules.image.documents import documents_of
from inseam.rules.image.names import ImageNames, check_image_names, image_references, label
from inseam.rules.layers.code import CodeLayers, CodeLayersRequest, check_code, code_layers
from inseam.rules.layers.layer import CompressRequest, StoredLayer, compressed
from inseam.rules.layers.service import DependencyLayers, ServiceRequest, dependency_layers
from inseam.rules.layers.shared_paths import preferences
from inseam.rules.layers.wheels import (
    SharedLayer,
    SharedLayerRequest,
    check_base,
    check_paths,
    shared_layer,
)
from inseam.subsystem import InseamSubsystem
from inseam.targets.container import (
    EnvField,
    OciCompressionField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    StopSignalField,
    VolumesField,
    WorkingDirField,
    WritableDirsField,
)
from inseam.targets.health import HealthcheckOptionsField, ProbesField
from inseam.targets.image import (
    OciEntryPointField,
    OciHealthcheckField,
    OciLabelsField,
    OciLayersField,
    OciUserField,
)
from inseam.targets.layer import LayerRequirementsField, LayersSourcesField, PreferField


@dataclass(frozen=True)
class OciImageRequest:
    """Asks for the `oci_image` at an address, for a platform; "" for the platform of its base."""

    address: Address
    platform: str


@dataclass(frozen=True)
class OciImage:
    """An image for one platform."""

    metadata: ImageMetadata
    files: FrozenDict[str, bytes]
    """Its layout except the blobs of layers, by path: manifest, configuration, documents."""
    code: Digest
    """A digest with the blobs of its code layers."""
    blobs: tuple[Digest, ...]
    """A digest with the blobs of its other layers."""
    contents: ImageContents


def _config(target: Target, service: Target | None, created: str) -> ImageConfig:
    """The configuration of an image. service: if the image contains the layers of a service whose
    `#oci` is another image, that `#oci`, which says how they run.
    """
    below = service or target
    probe = target[OciHealthcheckField].value
    return ImageConfig(
        user=target[OciUserField].value or below[OciUserField].value or USER,
        env=environment(
            {**dict(below[EnvField].value or {}), **dict(target[EnvField].value or {})}
        ),
        ports=tuple(target[PortsField].value),
        entrypoint=tuple(target[OciEntryPointField].value or ()),
        cmd=tuple(target[ServiceArgsField].value or ()),
        working_dir=target[WorkingDirField].value or below[WorkingDirField].value or "",
        stop_signal=target[StopSignalField].value,
        labels=dict(target[OciLabelsField].value or {}),
        healthcheck=target[HealthcheckOptionsField].value.healthcheck(probe) if probe else None,
        created=created,
        volumes=tuple(target[VolumesField].value),
        writable_dirs=target[WritableDirsField].value or below[WritableDirsField].value,
    )


def _probes(target: Target, config: ImageConfig, ports: tuple[str, ...]) -> Probes | None:
    """How Kubernetes asks for the health of an image. ports: with those of its base."""
    return probes_of(
        config.healthcheck.command if config.healthcheck else (),
        target[ProbesField].value,
        target[HealthcheckOptionsField].value,
        env=config.env,
        ports=ports,
    )


@dataclass(frozen=True)
class _Layers:
    """The layers that an `oci_image` lists: shared ones, and those of at most one service."""

    shared: tuple[SharedLayer, ...]
    service: ServiceRequest | None
    dependencies: DependencyLayers | None

    @property
    def wheel_layers(self) -> tuple[StoredLayer, ...]:
        own = self.dependencies.wheel_layers if self.dependencies else ()
        return (*(layer.layer for layer in self.shared), *own)

    @property
    def below_code(self) -> tuple[StoredLayer, ...]:
        own = self.dependencies.layers if self.dependencies else ()
        return (*(layer.layer for layer in self.shared), *own)


async def _base(target: Target, platform: str, default: str | None) -> tuple[Base, BaseOci]:
    """The base of an image, and the image that its layers are put on."""
    address = target[ServiceBaseField].value or default or ""
    base = await find_base(BaseRequest(address, target.address, platform), **implicitly())
    request = BaseOciRequest(base, target[OciCompressionField].value)
    return base, await base_oci(request, **implicitly())


async def _layers(target: Target, platform: str) -> _Layers:
    address = target.address
    addresses = await resolve_unparsed_address_inputs(
        target[OciLayersField].to_unparsed_address_inputs(), **implicitly()
    )
    wanted = await concurrently(
        resolve_target(
            WrappedTargetRequest(layer, description_of_origin=f"layers of {address}"),
            **implicitly(),
        )
        for layer in addresses
    )
    services = [item.target for item in wanted if item.target.has_field(LayersSourcesField)]
    if len(services) > 1 or (services and services[0].address != addresses[-1]):
        raise Failure(
            f"{service_of(address)}: the field `layers` may contain the `#layers` of one"
            " `python_service`, and only as its last item."
        )
    for item in wanted:
        if item.target not in services and not item.target.has_field(LayerRequirementsField):
            raise Failure(
                f"{service_of(address)}: the field `layers` contains {item.target.address}, a"
                f" `{item.target.alias}`. It may contain `venv_layer`s and the `#layers` of a"
                " `python_service`."
            )
    shared = await concurrently(
        shared_layer(SharedLayerRequest(item.target.address, platform), **implicitly())
        for item in wanted
        if item.target not in services
    )
    if not services:
        return _Layers(tuple(shared), None, None)
    service = ServiceRequest(services[0].address, platform)
    return _Layers(tuple(shared), service, await dependency_layers(service, **implicitly()))


async def _service_image(layers: _Layers, address: Address) -> Target | None:
    """The `#oci` of the service whose layers the image at `address` has, unless the service also
    generated that image.
    """
    if layers.service is None or service_of(address) == service_of(layers.service.address):
        return None
    wanted = service_of(layers.service.address).create_generated("oci")
    wrapped = await resolve_target(
        WrappedTargetRequest(wanted, description_of_origin=f"layers of {address}"), **implicitly()
    )
    image: Target = wrapped.target
    return image


def _prefer(target: Target, layers: _Layers) -> tuple[Preference, ...]:
    """The distribution whose file is used, where two install one at the same path."""
    of_service = layers.dependencies.prefer if layers.dependencies else ()
    return tuple(sorted({*of_service, *preferences(target[PreferField].value)}))


async def _check(target: Target, layers: _Layers, base: Base) -> None:
    """Raises Failure if the layers of an image do not fit each other or its base.

    The layers of a service are checked where they are made, but the layers below them are not.
    """
    check_base(layers.shared, base)
    dependencies = layers.dependencies
    if dependencies is not None and not dependencies.base.carries_layers_of(base):
        raise Failure(
            f"its code layers were built for the base {dependencies.base.address}"
            f" ({dependencies.base.platform}, {dependencies.base.interpreter}), but the image's"
            f" base is {base.address} ({base.platform}, {base.interpreter}). Use the same `base`"
            " for both."
        )
    if not layers.shared or (dependencies is None and len(layers.shared) < 2):
        return
    wheels = layers.wheel_layers
    check_names(layer.name for layer in wheels)
    check_shared((), {f"{layer.name!r}": layer.layer.wheels for layer in wheels})
    required_by = {name: by for one in layers.shared for name, by in one.required_by.items()}
    origin = service_of(target.address), layers.shared[0].resolve
    await check_paths(wheels, base.python, _prefer(target, layers), required_by, origin)
    if dependencies is not None:
        await check_code(dependencies, wheels)


@rule(desc="Make an image", level=LogLevel.DEBUG)
async def oci_image(
    request: OciImageRequest,
    inseam: InseamSubsystem,
    docker_options: DockerOptions,
    membership: UnionMembership,
) -> OciImage:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="an image"), **implicitly()
    )
    target = wrapped.target
    address = target.address
    compression = target[OciCompressionField].value
    base, start = await _base(target, request.platform, inseam.base)
    layers = await _layers(target, request.platform)
    with failing_in(label(address)):
        await _check(target, layers, base)
    below = await concurrently(
        compressed(CompressRequest(layer, compression, base.python), **implicitly())
        for layer in layers.below_code
    )
    made = CodeLayers(())
    if layers.service is not None:
        made = await code_layers(CodeLayersRequest(layers.service, compression), **implicitly())
    code = made.layers
    above = [*zip(below, layers.below_code), *zip(code, code)]
    config = _config(target, await _service_image(layers, address), inseam.created_time)
    image = assemble(
        label(address),
        config,
        [layer.layer for layer, _ in above],
        references=image_references(target, docker_options),
        base=start.image,
    )
    contents = replace(
        _contents(address, base, start, layers, above),
        config=frozen_config(config),
        run=image.metadata.run,
        probes=_probes(target, config, image.metadata.run.ports),
        prefer=_prefer(target, layers),
        mentions=made.mentions,
        endless=made.endless,
    )
    documents = await documents_of(contents, image.metadata, membership, inseam)
    return OciImage(
        with_documents(image, documents).metadata,
        FrozenDict(image_files(image, documents)),
        await merge_digests(MergeDigests(layer.digest for layer in code)),
        (start.blobs, *(layer.digest for layer in below)),
        contents,
    )


def _contents(
    address: Address,
    base: Base,
    start: BaseOci,
    layers: _Layers,
    above: Iterable[tuple[StoredLayer, StoredLayer]],
) -> ImageContents:
    """The contents of an image. above: its layers, as they are in it and as they were made."""
    service, dependencies = layers.service, layers.dependencies
    reference = start.metadata.references[0] if start.metadata.references else ""
    return ImageContents(
        target=service_of(address),
        base=BaseContents(
            base,
            start.libraries,
            start.rootfs,
            "" if start.rootfs else reference,
            start.metadata.digest,
            start.messages,
        ),
        layers=tuple(LayerContents(layer.layer, source) for layer, source in above),
        service=service,
        first_party=dependencies.first_party if dependencies else (),
        entry_points=dependencies.entry_points if dependencies else (),
        missing_modules=dependencies.missing_modules if dependencies else (),
    )


@dataclass(frozen=True)
class PackagedRequest:
    """Asks for the `oci_image` at an address, for all of its platforms; `layout` is its folder in
    `dist`.
    """

    address: Address
    platforms: tuple[str, ...]
    layout: str


@dataclass(frozen=True)
class Packaged:
    """An image, ready to be written to `dist`."""

    metadata: ImageMetadata
    files: FrozenDict[str, bytes]
    """Its layout except the blobs of layers, by path: one image, or an index of several."""
    images: tuple[OciImage, ...]
    """The image of each platform."""
    findings: tuple[Finding, ...]
    """The warnings to show when it is packaged; errors raise Failure."""


@rule(desc="Package an image", level=LogLevel.DEBUG)
async def packaged_image(
    request: PackagedRequest,
    names: ImageNames,
    docker_options: DockerOptions,
    inseam: InseamSubsystem,
    membership: UnionMembership,
) -> Packaged:
    check_image_names(request.address, names)
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="an image"), **implicitly()
    )
    platforms = request.platforms or ("",)
    images = await concurrently(
        oci_image(OciImageRequest(request.address, platform), **implicitly())
        for platform in platforms
    )
    found = await concurrently(findings_of(image.contents, membership, inseam) for image in images)
    findings = shown_findings(
        (finding for one in found for finding in one), wrapped.target, membership, inseam
    )
    if len(images) == 1:
        return Packaged(images[0].metadata, images[0].files, tuple(images), findings)
    files = index_files(
        label(request.address),
        [image.files for image in images],
        references=image_references(wrapped.target, docker_options),
    )
    metadata = load_metadata(files[METADATA])
    return Packaged(metadata, FrozenDict(files), tuple(images), findings)


def rules() -> list[Any]:
    return [*collect_rules()]
