"""Rules that make images without a daemon."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.base.build_environment import get_buildroot
from pants.core.goals.package import (
    BuiltPackage,
    BuiltPackageArtifact,
    OutputPathField,
    PackageFieldSet,
)
from pants.core.goals.publish import (
    PublishFieldSet,
    PublishPackages,
    PublishProcesses,
    PublishRequest,
)
from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior, RunRequest
from pants.core.util_rules.distdir import DistDir
from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    FileEntry,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
)
from pants.engine.internals.session import RunId
from pants.engine.process import InteractiveProcess, Process
from pants.engine.rules import collect_rules, rule
from pants.engine.target import AllTargets, Target, WrappedTargetRequest
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.bases import Base, BaseRequest, RootfsRequest, find_base, rootfs
from inseam.compat import (
    add_prefix,
    by_name,
    concurrently,
    create_digest,
    digest_subset_to_digest,
    environment_vars_subset,
    find_interpreter,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    remove_prefix,
    resolve_target,
    resolve_unparsed_address_inputs,
)
from inseam.compressors import CompressorsRequest, compressors
from inseam.layers import (
    CodeLayer,
    CodeLayersRequest,
    ServiceLayersRequest,
    code_layers,
    lower_layers,
    service_of,
)
from inseam.plan.dockerfile import environment
from inseam.plan.references import references
from inseam.program import (
    NETWORK_ENV,
    PROGRAMS,
    InseamError,
    ProgramRequest,
    program_sources,
    run_program,
)
from inseam.sandbox.assemble import assemble, image_files, parse_base
from inseam.sandbox.command import Failure
from inseam.sandbox.descriptor import BLOBS, DESCRIPTOR, LayerBlob, blob_path, parse_layer
from inseam.sandbox.image_config import (
    INTERPRETER_LABEL,
    LIBC_LABEL,
    PYTHON_LABEL,
    Healthcheck,
    ImageConfig,
    parse_platform,
)
from inseam.sandbox.image_metadata import METADATA, load_metadata, read_metadata
from inseam.sandbox.index import index_files
from inseam.sandbox.place import blobs_of, missing, place_contents
from inseam.subsystem import InseamSubsystem
from inseam.target_types import (
    BaseOciField,
    EnvField,
    LayersSourcesField,
    OciCompressionField,
    OciEntryPointField,
    OciHealthcheckField,
    OciLabelsField,
    OciLayersField,
    OciPlatformsField,
    OciRegistriesField,
    OciRepositoryField,
    OciSkipPushField,
    OciTagsField,
    OciWorkingDirField,
    PortsField,
    RequiredImageReferenceField,
    ServiceArgsField,
    ServiceBaseField,
    UserField,
)
from inseam.wheels import LowerLayer, SharedLayerRequest, shared_layer

# Bytes of documents and of the app layer up to which an image is written by the rule itself.
_SMALL = 32_000_000
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
# Layers
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlobRequest:
    """The compressed blob of a layer: `<name>/<file>` of the digest."""

    layer: LowerLayer
    file: str
    compression: str
    minor: str


@dataclass(frozen=True)
class CompressedLayer:
    """The blob of a layer: a digest with it in a folder with the layer's name, and what
    `descriptor.json` says of it."""

    digest: Digest
    blob: LayerBlob


async def _content(digest: Digest, path: str) -> bytes:
    """The content of one file."""
    found = await digest_subset_to_digest(DigestSubset(digest, PathGlobs([path])))
    (file,) = await get_digest_contents(found)
    content: bytes = file.content
    return content


async def _described(digest: Digest, path: str) -> LayerBlob:
    """What the `descriptor.json` at a path of the digest says."""
    return parse_layer(json.loads(await _content(digest, path)), path)


@rule(desc="Compress a layer", level=LogLevel.DEBUG)
async def compress_layer(request: BlobRequest) -> CompressedLayer:
    libraries = await compressors(CompressorsRequest(request.minor), **implicitly())
    name = request.layer.name
    tar = f"{name}/{request.file}"
    result = await run_program(
        ProgramRequest(
            argv=(
                "compress",
                f"--tar={tar}",
                f"--out=blobs/{name}",
                f"--name={name}",
                f"--format={request.compression}",
            ),
            input=await digest_subset_to_digest(
                DigestSubset(request.layer.digest, PathGlobs([tar]))
            ),
            output="blobs",
            minor=request.minor,
            libraries=libraries.digest,
            description=f"Compress the layer {name}",
        ),
        **implicitly(),
    )
    return CompressedLayer(result.digest, await _described(result.digest, f"{name}/{DESCRIPTOR}"))


layer_blob = by_name(compress_layer)


# -----------------------------------------------------------------------------------------------
# Bases
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BaseOciRequest:
    """A base as an OCI image: its address, platform and compression."""

    base: Base
    compression: str


@dataclass(frozen=True)
class BaseOci:
    """The image of a base.

    image: a digest with its description in the folder `base`. blobs: one with the blobs of its
    layers in the folder `rootfs`. metadata: its `image.json`. configuration: of the OCI image.
    """

    image: Digest
    blobs: Digest
    metadata: bytes
    configuration: bytes


async def _written(files: Mapping[str, bytes]) -> Digest:
    """A digest with files of that content, by path."""
    digest: Digest = await create_digest(
        CreateDigest(FileContent(path, content) for path, content in files.items())
    )
    return digest


async def _pulled(base: Base, target: Target, platform: str, glibc: str) -> BaseOci:
    env = await environment_vars_subset(EnvironmentVarsRequest(CLIENT_ENV), **implicitly())
    result = await run_program(
        ProgramRequest(
            argv=(
                "pull",
                f"--target={base.address}",
                f"--platform={platform}",
                f"--python={base.platform.python}",
                f"--interpreter={base.interpreter}",
                f"--libc=glibc {glibc}",
                "--blobs",
                "--out=images/base",
                target[RequiredImageReferenceField].value,
            ),
            input=EMPTY_DIGEST,
            output="images",
            minor=base.minor,
            description=f"Fetch the image of {base.address}",
            env=tuple(sorted(env.items())),
        ),
        **implicitly(),
    )
    # Blobs of layers and of documents lie side by side; each is looked up by its digest.
    blobs = await remove_prefix(RemovePrefix(result.digest, "base"))
    metadata = await _content(blobs, METADATA)
    config = blob_path(Path(), load_metadata(metadata).config_digest).as_posix()
    return BaseOci(
        result.digest,
        await add_prefix(AddPrefix(blobs, "rootfs")),
        metadata,
        await _content(blobs, config),
    )


@rule(desc="Make the image of a base", level=LogLevel.DEBUG)
async def make_base_oci(request: BaseOciRequest) -> BaseOci:
    base = request.base
    wrapped = await resolve_target(
        WrappedTargetRequest(base.address, description_of_origin="a base"), **implicitly()
    )
    platform = f"linux/{base.platform.architecture}"
    glibc = ".".join(map(str, base.platform.glibc))
    if wrapped.target.has_field(RequiredImageReferenceField):
        return await _pulled(base, wrapped.target, platform, glibc)
    made = await rootfs(
        RootfsRequest(base.address.create_generated("rootfs"), platform), **implicitly()
    )
    folder = await add_prefix(AddPrefix(made.digest, "rootfs"))
    blob = await layer_blob(
        BlobRequest(LowerLayer("rootfs", folder), "rootfs.tar", request.compression, base.minor),
        **implicitly(),
    )
    config = ImageConfig(
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        user="65532:65532",
        labels={
            PYTHON_LABEL: base.platform.python,
            INTERPRETER_LABEL: base.interpreter,
            LIBC_LABEL: f"glibc {glibc}",
        },
    )
    image = assemble(str(base.address), config, [blob.blob], platform=parse_platform(platform))
    files = image_files(image, config)
    written = await _written(files)
    return BaseOci(
        await add_prefix(AddPrefix(written, "base")),
        blob.digest,
        files[METADATA],
        image.configuration.content,
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
    """An image: its description (layout, documents, `image.json`) by path, the blobs of its code in
    a digest with `blobs` at its root, and digests with the blobs of its other layers, each below a
    folder with a name."""

    files: FrozenDict[str, bytes]
    code: Digest
    blobs: tuple[tuple[str, Digest], ...]
    minor: str


def _config(target: Target) -> ImageConfig:
    probe = target[OciHealthcheckField].value
    return ImageConfig(
        user=target[UserField].value,
        env=environment(target[EnvField].value or {}),
        ports=tuple(target[PortsField].value),
        entrypoint=tuple(target[OciEntryPointField].value or ()),
        cmd=tuple(target[ServiceArgsField].value or ()),
        working_dir=target[OciWorkingDirField].value or "",
        stop_signal="SIGTERM",
        labels=dict(target[OciLabelsField].value or {}),
        healthcheck=Healthcheck(tuple(probe)) if probe else None,
    )


def image_references(target: Target, options: DockerOptions) -> tuple[str, ...]:
    """The names, with tags, that the `oci_image` is to have.

    Raises InseamError for one that no registry takes.
    """
    try:
        return _references(target, options)
    except (KeyError, ValueError) as error:
        raise InseamError(f"{service_of(target.address)}: {error}") from error


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
        raise InseamError(
            f"{address}: the `#layers` of a `python_service` must be the last of its `layers`, and"
            " there can be only one."
        )
    shared = await concurrently(
        shared_layer(SharedLayerRequest(item.target.address, request.platform), **implicitly())
        for item in wanted
        if item.target not in services
    )
    layers = [layer.layer for layer in shared]
    if services:
        lower = await lower_layers(
            ServiceLayersRequest(services[0].address, request.platform), **implicitly()
        )
        layers += lower.layers
    blobs = await concurrently(
        layer_blob(BlobRequest(layer, f"{layer.name}.tar", compression, base.minor), **implicitly())
        for layer in layers
    )
    described = [layer.blob for layer in blobs]
    folders = [("rootfs", start.blobs), *((layer.blob.name, layer.digest) for layer in blobs)]
    code: tuple[CodeLayer, ...] = ()
    if services:
        service = ServiceLayersRequest(services[0].address, request.platform)
        made = await code_layers(CodeLayersRequest(service, compression), **implicitly())
        code = made.layers
    described += await concurrently(_described(layer.digest, DESCRIPTOR) for layer in code)
    own = await concurrently(
        digest_subset_to_digest(DigestSubset(layer.digest, PathGlobs([f"{BLOBS}/*"])))
        for layer in code
    )
    config = _config(target)
    try:
        image = assemble(
            str(service_of(address)),
            config,
            described,
            references=image_references(target, docker_options),
            base=parse_base(start.metadata, start.configuration),
        )
    except Failure as error:
        raise InseamError(str(error)) from error
    files = FrozenDict(image_files(image, config))
    merged = await merge_digests(MergeDigests(own))
    return OciImage(files, merged, tuple(folders), base.minor)


oci_image = by_name(make_oci_image)


# -----------------------------------------------------------------------------------------------
# Goals
# -----------------------------------------------------------------------------------------------


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

    files: its description by path, of one platform or an index of several. images: of each
    platform.
    """

    files: FrozenDict[str, bytes]
    images: tuple[OciImage, ...]

    @property
    def minor(self) -> str:
        """CPython that runs the programs, as "3.11"."""
        return self.images[0].minor


@dataclass(frozen=True)
class PlacedRequest:
    """An image that is to be in the folder of artifacts."""

    packaged: PackagedRequest


@dataclass(frozen=True)
class Placed:
    """An image in the folder of artifacts: absolute path of its layout, and `image.json`.

    minor: CPython that ran the programs, as "3.11".
    """

    layout: str
    metadata: bytes
    minor: str


def _is_placed(layout: Path, store: Path, files: Mapping[str, bytes]) -> bool:
    """Whether a layout already says what these files say, and has all its blobs."""
    try:
        if any(
            (layout / path).read_bytes() != content
            for path, content in files.items()
            if not path.startswith(f"{BLOBS}/")
        ):
            return False
        if os.path.realpath(layout / "blobs") != os.path.realpath(store / "blobs"):
            return False
        return not missing(store, blobs_of(read_metadata(layout)).items())
    except (OSError, Failure):
        return False


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


def _check_names(address: Address, names: ImageNames) -> None:
    for name, addresses in names.addresses.items():
        others = [other for other in addresses if other != address]
        if address in addresses and others:
            raise InseamError(
                f"{service_of(address)} and {service_of(others[0])} both make the image {name}."
                " Give one of them another `repository` or other `image_tags`."
            )


@rule(desc="Package an image", level=LogLevel.DEBUG)
async def package_image(
    request: PackagedRequest, names: ImageNames, docker_options: DockerOptions
) -> Packaged:
    _check_names(request.address, names)
    platforms = request.platforms if len(request.platforms) > 1 else request.platforms[:1] or ("",)
    images = await concurrently(
        oci_image(OciImageRequest(request.address, platform), **implicitly())
        for platform in platforms
    )
    files = images[0].files
    if len(images) > 1:
        wrapped = await resolve_target(
            WrappedTargetRequest(request.address, description_of_origin="an image"), **implicitly()
        )
        try:
            files = FrozenDict(
                index_files(
                    str(service_of(request.address)),
                    [image.files for image in images],
                    references=image_references(wrapped.target, docker_options),
                )
            )
        except Failure as error:
            raise InseamError(str(error)) from error
    return Packaged(files, tuple(images))


packaged = by_name(package_image)


@rule(desc="Write an image", level=LogLevel.DEBUG)
async def place_image(request: PlacedRequest, dist_dir: DistDir, run_id: RunId) -> Placed:
    # The parameter `run_id` makes this rule run once in each session: somebody may have removed
    # files since the last one. See `_in_dist` for what that must not do.
    made = await packaged(request.packaged, **implicitly())
    files, images, minor = made.files, made.images, made.minor
    dist = Path(get_buildroot(), dist_dir.relpath)
    layout, store = dist / request.packaged.layout, dist / "oci"
    result = Placed(str(layout), files[METADATA], minor)
    if _is_placed(layout, store, files):
        return result
    code = await merge_digests(MergeDigests(image.code for image in images))
    entries = await get_digest_entries(code)
    size = sum(
        entry.file_digest.serialized_bytes_length
        for entry in entries
        if isinstance(entry, FileEntry)
    )
    wanted = blobs_of(load_metadata(files[METADATA]))
    held = {*files, *(entry.path for entry in entries if isinstance(entry, FileEntry))}
    lacking = missing(store, wanted.items())
    if size < _SMALL and all(blob_path(Path(), blob).as_posix() in held for blob in lacking):
        # An edit. The few kilobytes of it take no process.
        contents = await get_digest_contents(code)
        try:
            place_contents(
                {**files, **{file.path: file.content for file in contents}}, store, layout
            )
        except Failure as error:
            raise InseamError(str(error)) from error
        return result
    named = [
        (f"blobs{number}/{name}", f"blobs{number}", digest)
        for number, one in enumerate(images)
        for name, digest in one.blobs
    ]
    prefixed = await concurrently(
        add_prefix(AddPrefix(digest, prefix))
        for prefix, digest in [
            ("image", await _written(files)),
            ("code", code),
            *((prefix, digest) for _, prefix, digest in named),
        ]
    )
    await run_program(
        ProgramRequest(
            argv=(
                "place",
                f"--store={store}",
                f"--layout={layout}",
                "image",
                "code",
                *(folder for folder, _, _ in named),
            ),
            input=await merge_digests(MergeDigests(prefixed)),
            output="nothing",
            minor=minor,
            description=f"Write {request.packaged.layout}",
            cacheable=False,
        ),
        **implicitly(),
    )
    return result


placed = by_name(place_image)


async def _in_dist(field_set: OciFieldSet | PublishOciFieldSet) -> Placed:
    """The image, written to the folder of artifacts.

    A rule that calls this depends on the image directly, too. Otherwise Pants, which looks at all
    that a rule depends on at once and stops at the first that changed, would see the new session,
    stop looking at whether the image is still the same, and so make it anew.
    """
    request = PackagedRequest(
        field_set.address,
        field_set.platforms.value,
        field_set.output_path.value_or_default(file_ending="oci"),
    )
    await packaged(request, **implicitly())
    image: Placed = await placed(PlacedRequest(request), **implicitly())
    return image


@dataclass(frozen=True)
class OciFieldSet(PackageFieldSet, RunFieldSet):
    required_fields = (OciLayersField, OciRepositoryField)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    platforms: OciPlatformsField
    output_path: OutputPathField


@rule(desc="Package an OCI image", level=LogLevel.DEBUG)
async def package_oci_image(field_set: OciFieldSet) -> BuiltPackage:
    image = await _in_dist(field_set)
    relpath = field_set.output_path.value_or_default(file_ending="oci")
    metadata = json.loads(image.metadata)
    digest = await create_digest(
        CreateDigest([FileContent(f"{relpath}/image.json", image.metadata)])
    )
    names = ", ".join(metadata["references"])
    lines = (f"{names}: {metadata['digest']}",)
    # Pants removes the path of an artifact before it writes it: the file, not the layout.
    return BuiltPackage(digest, (BuiltPackageArtifact(f"{relpath}/image.json", lines),))


@dataclass(frozen=True)
class CallRequest:
    """A sandbox program, with its arguments, as something that a goal runs in the foreground."""

    argv: tuple[str, ...]
    minor: str


@dataclass(frozen=True)
class Call:
    """A command and what is in its folder; `{chroot}` stands for that folder."""

    argv: tuple[str, ...]
    digest: Digest


@rule
async def prepare_call(request: CallRequest) -> Call:
    python = await find_interpreter(
        InterpreterConstraints([f"CPython=={request.minor}.*"]), **implicitly()
    )
    programs = await create_digest(CreateDigest(program_sources(request.argv[0])))
    return Call((python.path, "-sSB", f"{{chroot}}/{PROGRAMS}", *request.argv), programs)


call = by_name(prepare_call)


@rule(level=LogLevel.DEBUG)
async def run_oci_image(field_set: OciFieldSet) -> RunRequest:
    image = await _in_dist(field_set)
    prepared = await call(CallRequest(("run_image", image.layout), image.minor), **implicitly())
    return RunRequest(digest=prepared.digest, args=prepared.argv)


class PublishOciImage(PublishRequest["PublishOciFieldSet"]):
    pass


@dataclass(frozen=True)
class PublishOciFieldSet(PublishFieldSet[PublishOciImage]):
    publish_request_type = PublishOciImage
    required_fields = (OciLayersField, OciRepositoryField, OciSkipPushField)

    platforms: OciPlatformsField
    output_path: OutputPathField
    skip_push: OciSkipPushField


@rule(desc="Push an image", level=LogLevel.DEBUG)
async def publish_oci_image(request: PublishOciImage) -> PublishProcesses:
    field_set = request.field_set
    image = await _in_dist(field_set)
    names = tuple(json.loads(image.metadata)["references"])
    if field_set.skip_push.value:
        reason = f"(by `skip_push` on {field_set.address}, or [inseam].publish)"
        return PublishProcesses([PublishPackages(names=names, description=reason)])
    env = await environment_vars_subset(EnvironmentVarsRequest(CLIENT_ENV), **implicitly())
    prepared = await call(CallRequest(("push", image.layout), image.minor), **implicitly())
    argv = [part.replace("{chroot}/", "") for part in prepared.argv]
    process = InteractiveProcess.from_process(
        Process(
            argv,
            description=f"Push {', '.join(names)}",
            input_digest=prepared.digest,
            env={**env, "PYTHONUNBUFFERED": "1"},
        )
    )
    return PublishProcesses([PublishPackages(names=names, process=process)])


@dataclass(frozen=True)
class BaseOciFieldSet(RunFieldSet):
    required_fields = (BaseOciField,)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    base: BaseOciField


@rule(level=LogLevel.DEBUG)
async def rebase_on(field_set: BaseOciFieldSet) -> RunRequest:
    base = await find_base(BaseRequest(field_set.base.value, field_set.address), **implicitly())
    image = await base_oci(BaseOciRequest(base, "gzip"), **implicitly())
    prepared = await call(
        CallRequest(
            (
                "rebase_layout",
                "--base={chroot}/base",
                "--base-blobs={chroot}/rootfs",
            ),
            base.minor,
        ),
        **implicitly(),
    )
    digest = await merge_digests(MergeDigests([prepared.digest, image.image, image.blobs]))
    return RunRequest(digest=digest, args=prepared.argv)


def rules() -> list[Any]:
    return [
        *collect_rules(),
        *OciFieldSet.rules(),
        *BaseOciFieldSet.rules(),
        UnionRule(PackageFieldSet, OciFieldSet),
        *PublishOciFieldSet.rules(),
    ]
