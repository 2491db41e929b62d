"""Rules that make images without a daemon."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    MergeDigests,
    PathGlobs,
)
from pants.engine.rules import collect_rules, rule
from pants.engine.target import AllTargets, Target, WrappedTargetRequest
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import (
    by_name,
    concurrently,
    create_digest,
    digest_subset_to_digest,
    environment_vars_subset,
    implicitly,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
)
from inseam.formats.failure import Failure
from inseam.formats.oci.assemble import BaseImage, assemble, image_files
from inseam.formats.oci.config import Healthcheck, ImageConfig, Runtime, parse_platform
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.index import index_files
from inseam.formats.oci.metadata import METADATA, ImageMetadata, dump_metadata, load_metadata
from inseam.plan.container import USER, environment
from inseam.plan.layering import check_names, check_shared
from inseam.plan.references import references
from inseam.rules.base import Base, BaseRequest, RootfsRequest, find_base, rootfs
from inseam.rules.code_layers import CodeLayersRequest, check_code, code_layers
from inseam.rules.generate import service_of
from inseam.rules.layers import CompressRequest, StoredLayer, compressed, file_content
from inseam.rules.process import NETWORK_ENV, ProgramRequest, run_program
from inseam.rules.service import DependencyLayers, ServiceRequest, dependency_layers
from inseam.rules.wheel_layers import (
    SharedLayer,
    SharedLayerRequest,
    check_base,
    check_layers,
    shared_layer,
)
from inseam.subsystem import InseamSubsystem
from inseam.targets.base import RequiredImageReferenceField
from inseam.targets.container import (
    EnvField,
    OciCompressionField,
    PortsField,
    ServiceArgsField,
    ServiceBaseField,
    StopSignalField,
    VolumesField,
    WorkingDirField,
)
from inseam.targets.image import (
    OciEntryPointField,
    OciHealthcheckField,
    OciLabelsField,
    OciLayersField,
    OciRegistriesField,
    OciRepositoryField,
    OciTagsField,
    OciUserField,
)
from inseam.targets.layer import LayerRequirementsField, LayersSourcesField

# Programs that talk to registries, Docker and podman find them, and credentials, by these.
CLIENT_ENV = (
    "CONTAINERS_STORAGE_CONF",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "HOME",
    "PATH",
    "REGISTRY_AUTH_FILE",
    "XDG_RUNTIME_DIR",
    *NETWORK_ENV,
)


# -----------------------------------------------------------------------------------------------
# Bases
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BaseOciRequest:
    """A base as an OCI image, with its layers compressed as "gzip" or "zstd"."""

    base: Base
    compression: str


@dataclass(frozen=True)
class BaseOci:
    """The image of a base.

    configuration: text of its OCI configuration. blobs: a digest with the blobs of its layers.
    files: by path, what `read_base` needs besides.
    """

    metadata: ImageMetadata
    configuration: bytes
    blobs: Digest
    files: FrozenDict[str, bytes]

    @property
    def image(self) -> BaseImage:
        """What images are assembled on."""
        return BaseImage(self.metadata, json.loads(self.configuration))


async def written(files: Mapping[str, bytes]) -> Digest:
    """A digest with files of that content, by path."""
    digest: Digest = await create_digest(
        CreateDigest(FileContent(path, content) for path, content in files.items())
    )
    return digest


def _runtime(base: Base) -> Runtime:
    libc = ".".join(map(str, base.platform.glibc))
    return Runtime(base.platform.python, base.interpreter, f"glibc {libc}")


async def _pulled(base: Base, image: str) -> BaseOci:
    env = await environment_vars_subset(EnvironmentVarsRequest(CLIENT_ENV), **implicitly())
    runtime = _runtime(base)
    try:
        result = await run_program(
            ProgramRequest(
                argv=(
                    "pull",
                    f"--platform={base.oci_platform}",
                    f"--python={runtime.python}",
                    f"--interpreter={runtime.interpreter}",
                    f"--libc={runtime.libc}",
                    "--out=base",
                    image,
                ),
                input=EMPTY_DIGEST,
                output="base",
                python_version=base.python_version,
                description=f"Fetch the image of {base.address}",
                env=tuple(sorted(env.items())),
            ),
            **implicitly(),
        )
    except Failure as error:
        raise Failure(f"{base.address}: {error}") from error
    metadata = load_metadata(await file_content(result.digest, METADATA))
    metadata = metadata._replace(target=str(base.address))
    config = blob_path(Path(), metadata.config_digest).as_posix()
    configuration = await file_content(result.digest, config)
    layers = [blob_path(Path(), layer.descriptor.digest).as_posix() for layer in metadata.layers]
    return BaseOci(
        metadata,
        configuration,
        await digest_subset_to_digest(DigestSubset(result.digest, PathGlobs(layers))),
        FrozenDict({METADATA: dump_metadata(metadata), config: configuration}),
    )


@rule(desc="Make the image of a base", level=LogLevel.DEBUG)
async def make_base_oci(request: BaseOciRequest) -> BaseOci:
    base = request.base
    wrapped = await resolve_target(
        WrappedTargetRequest(base.address, description_of_origin="a base"), **implicitly()
    )
    if wrapped.target.has_field(RequiredImageReferenceField):
        return await _pulled(base, wrapped.target[RequiredImageReferenceField].value)
    made = await rootfs(
        RootfsRequest(base.address.create_generated("rootfs"), base.oci_platform), **implicitly()
    )
    layer = await compressed(
        CompressRequest(made.layer, request.compression, base.python_version), **implicitly()
    )
    config = ImageConfig(
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        user="65532:65532",
        labels=_runtime(base).labels(),
    )
    platform = parse_platform(base.oci_platform)
    image = assemble(str(base.address), config, [layer.layer], platform=platform)
    return BaseOci(
        image.metadata,
        image.configuration.content,
        layer.digest,
        FrozenDict(image_files(image, config)),
    )


base_oci = by_name(make_base_oci)


# -----------------------------------------------------------------------------------------------
# Images
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OciImageRequest:
    """The `oci_image` at an address, for a platform, "" for that of its base."""

    address: Address
    platform: str


@dataclass(frozen=True)
class OciImage:
    """An image for one platform.

    files: its layout without the blobs of layers, by path: documents, `image.json`, `probes.yaml`.
    code: a digest with the blobs of its code. blobs: digests with those of its other layers.
    """

    metadata: ImageMetadata
    files: FrozenDict[str, bytes]
    code: Digest
    blobs: tuple[Digest, ...]
    python_version: str


def label(address: Address) -> str:
    """What an image is called in texts: its service, if that has no other, or its address."""
    return str(service_of(address) if address.generated_name in ("oci", "image") else address)


def _config(target: Target, service: Target | None) -> ImageConfig:
    """What an image says of itself. service: the `#oci` of the service whose layers it has, if that
    is another image: how these run is what the service says."""
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
        healthcheck=Healthcheck(tuple(probe)) if probe else None,
        volumes=tuple(target[VolumesField].value),
    )


def image_references(target: Target, options: DockerOptions) -> tuple[str, ...]:
    """The names, with tags, that the `oci_image` is to have.

    Raises Failure for one that no registry accepts.
    """
    try:
        return _references(target, options)
    except (KeyError, ValueError) as error:
        raise Failure(f"{label(target.address)}: {error}") from error


def _references(target: Target, options: DockerOptions) -> tuple[str, ...]:
    return references(
        target.address.spec_path,
        target.address.target_name,
        repository=target[OciRepositoryField].value,
        default_repository=options.default_repository,
        registries=[
            registry.address
            for registry in options.registries().get(*target[OciRegistriesField].value)
        ],
        tags=target[OciTagsField].value,
    )


@dataclass(frozen=True)
class _Layers:
    """The layers that an `oci_image` names: shared ones, and those of at most one service."""

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
    """The `#oci` of the service whose layers the image at `address` has, unless the service made
    that image, too."""
    if layers.service is None or service_of(address) == service_of(layers.service.address):
        return None
    wanted = service_of(layers.service.address).create_generated("oci")
    wrapped = await resolve_target(
        WrappedTargetRequest(wanted, description_of_origin=f"layers of {address}"), **implicitly()
    )
    image: Target = wrapped.target
    return image


async def _check(layers: _Layers, base: Base) -> None:
    """Raises Failure if the layers of an image do not go together, or not with its base.

    The layers of a service are checked where they are made; what an image puts below them is not.
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
    await check_layers(wheels, base.python_version)
    if dependencies is not None:
        await check_code(dependencies, wheels)


@rule(desc="Make an image", level=LogLevel.DEBUG)
async def make_oci_image(
    request: OciImageRequest, inseam: InseamSubsystem, docker_options: DockerOptions
) -> OciImage:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="an image"), **implicitly()
    )
    target = wrapped.target
    address = target.address
    compression = target[OciCompressionField].value
    base = await find_base(
        BaseRequest(target[ServiceBaseField].value or inseam.base or "", address, request.platform),
        **implicitly(),
    )
    start = await base_oci(BaseOciRequest(base, compression), **implicitly())
    layers = await _layers(target, request.platform)
    try:
        await _check(layers, base)
    except Failure as error:
        raise Failure(f"{label(address)}: {error}") from error
    below = await concurrently(
        compressed(CompressRequest(layer, compression, base.python_version), **implicitly())
        for layer in layers.below_code
    )
    code: tuple[StoredLayer, ...] = ()
    if layers.service is not None:
        made = await code_layers(CodeLayersRequest(layers.service, compression), **implicitly())
        code = made.layers
    config = _config(target, await _service_image(layers, address))
    image = assemble(
        label(address),
        config,
        [layer.layer for layer in (*below, *code)],
        references=image_references(target, docker_options),
        base=start.image,
    )
    return OciImage(
        image.metadata,
        FrozenDict(image_files(image, config)),
        await merge_digests(MergeDigests(layer.digest for layer in code)),
        (start.blobs, *(layer.digest for layer in below)),
        base.python_version,
    )


oci_image = by_name(make_oci_image)


@dataclass(frozen=True)
class ImageNames:
    """The addresses of the `oci_image`s of the repository, by name and tag."""

    addresses: FrozenDict[str, tuple[Address, ...]]


@rule(desc="Find the names of images", level=LogLevel.DEBUG)
async def find_image_names(targets: AllTargets, options: DockerOptions) -> ImageNames:
    found: dict[str, list[Address]] = {}
    for target in targets:
        if target.has_field(OciRepositoryField):
            for name in image_references(target, options):
                found.setdefault(name, []).append(target.address)
    return ImageNames(FrozenDict({name: tuple(found[name]) for name in sorted(found)}))


def check_image_names(address: Address, names: ImageNames) -> None:
    """Raises Failure if another `oci_image` has a name of the one at `address`."""
    for name, addresses in names.addresses.items():
        others = [other for other in addresses if other != address]
        if address in addresses and others:
            raise Failure(
                f"{label(address)} and {label(others[0])} both build the image {name}."
                " Change the `repository` or the `image_tags` of one of them."
            )


@dataclass(frozen=True)
class PackagedRequest:
    """The `oci_image` at an address, for all of its platforms; `layout` is its folder among the
    artifacts."""

    address: Address
    platforms: tuple[str, ...]
    layout: str


@dataclass(frozen=True)
class Packaged:
    """An image as it is to be written to the folder of artifacts.

    files: its layout without the blobs of layers, by path, of one platform or an index of several.
    images: of each platform.
    """

    metadata: ImageMetadata
    files: FrozenDict[str, bytes]
    images: tuple[OciImage, ...]

    @property
    def python_version(self) -> str:
        """CPython that runs the programs, as "3.11"."""
        return self.images[0].python_version


@rule(desc="Package an image", level=LogLevel.DEBUG)
async def package_image(
    request: PackagedRequest, names: ImageNames, docker_options: DockerOptions
) -> Packaged:
    check_image_names(request.address, names)
    platforms = request.platforms or ("",)
    images = await concurrently(
        oci_image(OciImageRequest(request.address, platform), **implicitly())
        for platform in platforms
    )
    if len(images) == 1:
        return Packaged(images[0].metadata, images[0].files, tuple(images))
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="an image"), **implicitly()
    )
    files = index_files(
        label(request.address),
        [image.files for image in images],
        references=image_references(wrapped.target, docker_options),
    )
    return Packaged(load_metadata(files[METADATA]), FrozenDict(files), tuple(images))


packaged_image = by_name(package_image)


def rules() -> list[Any]:
    return [*collect_rules()]
