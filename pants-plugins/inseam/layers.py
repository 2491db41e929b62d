"""Rules that make the layers of a service."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    PexEntryPointField,
    PythonResolveField,
    ResolvePexEntryPointRequest,
)
from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest
from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.addresses import Address, UnparsedAddressInputs
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
from pants.engine.rules import collect_rules, rule
from pants.engine.target import (
    GeneratedSources,
    GenerateSourcesRequest,
    Target,
    TransitiveTargetsRequest,
    WrappedTargetRequest,
)
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel
from pants.util.ordered_set import FrozenOrderedSet

from inseam.bases import Base, BaseRequest, find_base
from inseam.compat import (
    add_prefix,
    by_name,
    concurrently,
    create_digest,
    digest_subset_to_digest,
    digest_to_snapshot,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    prepare_python_sources,
    remove_prefix,
    resolve_pex_entry_point,
    resolve_target,
    resolve_unparsed_address_inputs,
    strip_python_sources,
    transitive_targets,
)
from inseam.compressors import CompressorsRequest, compressors
from inseam.plan.code import split_code
from inseam.plan.layering import DEPS, RESERVED, split
from inseam.plan.lock import LockedWheel
from inseam.program import InseamError, ProgramRequest, run_program
from inseam.sandbox.code import (
    BLOB,
    INDEX,
    LAUNCHERS,
    LIBRARIES,
    TAR,
    Code,
    joined,
    modules_of,
    no_code,
)
from inseam.sandbox.code import NAME as APP_LAYER
from inseam.sandbox.compress import MEDIA_TYPES
from inseam.sandbox.descriptor import DESCRIPTOR, LayerBlob, blob_path, dump_layer
from inseam.sandbox.installed import NAMES, PATHS, first_name, load_names
from inseam.sandbox.layer import LAYERS, Layer
from inseam.sandbox.layer import dump as dump_layers
from inseam.sandbox.layer import load as load_layers
from inseam.service import layer_folder
from inseam.subsystem import InseamSubsystem
from inseam.target_types import (
    LAYER_FILES,
    AppLayersField,
    AppSourcesField,
    InitField,
    LayersBaseField,
    LayersServiceField,
    LayersSharedField,
    LayersSourcesField,
)
from inseam.wheels import (
    ClosureRequest,
    FetchRequest,
    LayerRequest,
    LowerLayer,
    SharedLayer,
    SharedLayerRequest,
    closure_of,
    fetched_wheel,
    layer_of,
    requirement_strings,
    shared_layer,
)


@dataclass(frozen=True)
class ServiceLayersRequest:
    """The layers of the service whose `#layers` target has this address.

    platform: another one than the base declares, as "linux/arm64"; "" for its own.
    """

    address: Address
    platform: str = ""


@dataclass(frozen=True)
class Unneeded:
    """A wheel of a shared layer that a service does not need: distribution, bytes, layer."""

    distribution: str
    size: int
    layer: Address


@dataclass(frozen=True)
class Unit:
    """First-party files that one process lays out: `name` and `at` as of `plan.code.CodeUnit`.

    sources: the files, in the folder `sources`. entry_points: `field=module:function` of what it
    is asked to check; launchers: whether it makes launchers of these.
    """

    name: str
    at: str
    sources: Digest
    entry_points: tuple[str, ...]
    launchers: bool


@dataclass(frozen=True)
class LowerLayers:
    """What is below a service's code, lowest first, and what its last layer is made of.

    entry_points: `field=module:function` of the service, then of its healthcheck. units: the
    first-party files that are not in the layer `data`. elsewhere: those of the entry points whose
    modules are not among them. namesakes: those of the layers that have a name which the code has,
    or looks for, too.
    """

    layers: tuple[LowerLayer, ...]
    base: Base
    entry_points: tuple[str, ...]
    units: tuple[Unit, ...]
    elsewhere: tuple[str, ...]
    unneeded: tuple[Unneeded, ...]
    namesakes: tuple[LowerLayer, ...]


@dataclass(frozen=True)
class CodeLayerRequest:
    """A layer of first-party code: its name, and what is laid out in it.

    compression: "gzip" or "zstd" for a blob, "" for a tar. minor: CPython version, as "3.11".
    """

    name: str
    units: tuple[Unit, ...]
    compression: str
    minor: str


@dataclass(frozen=True)
class CodeLayer:
    """A digest, at whose root are `<name>.tar` and `layers.json` with this one layer; or, for a
    blob, `descriptor.json` and the blob below `blobs/sha256`."""

    name: str
    digest: Digest


@dataclass(frozen=True)
class CodeLayersRequest:
    """The layers of a service's code; compression: as of CodeLayerRequest."""

    service: ServiceLayersRequest
    compression: str = ""


@dataclass(frozen=True)
class CodeLayers:
    """The layers of a service's code, lowest first: `libs`, if there is any code beside the package
    with the entry point, and `app`, with that package and the launchers."""

    layers: tuple[CodeLayer, ...]


@dataclass(frozen=True)
class _Sources:
    """First-party files: the entries of code, and a digest with the large ones of data in the
    folder `sources`, None if there are none."""

    code: tuple[FileEntry, ...]
    data: Digest | None


async def _below_sources(entries: Iterable[FileEntry]) -> Digest:
    digest = await create_digest(CreateDigest(entries))
    prefixed: Digest = await add_prefix(AddPrefix(digest, "sources"))
    return prefixed


async def _first_party(closure: Any, large: int) -> _Sources:
    """First-party files, as they are imported; data are those of `large` bytes or more that are no
    Python."""
    prepared = await prepare_python_sources(PythonSourceFilesRequest(closure), **implicitly())
    stripped = await strip_python_sources(prepared)
    entries = await get_digest_entries(stripped.stripped_source_files.snapshot.digest)
    files = [entry for entry in entries if isinstance(entry, FileEntry)]
    data = [
        entry
        for entry in files
        if not entry.path.endswith(".py") and entry.file_digest.serialized_bytes_length >= large
    ]
    if not data:
        return _Sources(tuple(files), None)
    apart = {entry.path for entry in data}
    code = tuple(entry for entry in files if entry.path not in apart)
    return _Sources(code, await _below_sources(data))


async def _units(code: Iterable[FileEntry], entry_points: tuple[str, ...]) -> tuple[Unit, ...]:
    """What lays out a service's code. A unit that has nothing to do with the service's entry points
    does not know of the service, so that all who have the same files share it."""
    by_path = {entry.path: entry for entry in code}
    units = split_code(by_path)
    inside = [
        tuple(spec for spec in entry_points if _modules(spec).intersection(unit.paths))
        for unit in units
    ]
    main = next((n for n, specs in enumerate(inside) if entry_points[0] in specs), None)
    digests = await concurrently(
        _below_sources(by_path[path] for path in unit.paths) for unit in units
    )
    found = [
        Unit(
            unit.name,
            unit.at,
            digest,
            entry_points if number == main else inside[number],
            number == main,
        )
        for number, (unit, digest) in enumerate(zip(units, digests))
    ]
    if main is None:
        found.append(Unit("no package", "", EMPTY_DIGEST, entry_points, True))
    return tuple(found)


def _modules(entry_point: str) -> set[str]:
    """The files in which an entry point, `field=module:function`, can be."""
    return set(modules_of(entry_point.partition("=")[2]))


async def _namesakes(
    layers: Iterable[LowerLayer], names: Iterable[str], entry_points: Iterable[str]
) -> tuple[LowerLayer, ...]:
    """The layers with a name that the code has, too, or in which an entry point may be.

    Most services have no such layer. What they are made from then doesn't say which wheels are
    below, and their code is laid out once, whatever versions the lock has.
    """
    layers = list(layers)
    modules = (entry_point.partition("=")[2].partition(":")[0] for entry_point in entry_points)
    wanted = {*names, *LAUNCHERS.values(), *(first_name(module) for module in modules)}
    found = await concurrently(
        digest_subset_to_digest(DigestSubset(layer.digest, PathGlobs([f"{layer.name}/{NAMES}"])))
        for layer in layers
    )
    texts = await concurrently(get_digest_contents(digest) for digest in found)
    return tuple(
        layer
        for layer, files in zip(layers, texts)
        if any(wanted & load_names(file.content) for file in files)
    )


async def _wheel_layers(
    wheels: tuple[LockedWheel, ...],
    resolve: str,
    base: Base,
    inseam: InseamSubsystem,
    shared: int,
) -> tuple[LowerLayer, ...]:
    """The layers of the wheels that are in no shared one."""
    fetched = await concurrently(
        fetched_wheel(FetchRequest(wheel, resolve, base.minor), **implicitly()) for wheel in wheels
    )
    by_distribution = {wheel.name: wheel for wheel in wheels}
    plans = split(
        {wheel.name: file.size for wheel, file in zip(wheels, fetched)},
        large=inseam.large_wheel,
        max_layers=inseam.max_layers,
        shared=shared,
    )
    layers: tuple[LowerLayer, ...] = await concurrently(
        layer_of(
            LayerRequest(
                plan.name,
                tuple(by_distribution[name] for name in plan.distributions),
                resolve,
                base,
                venv=plan.name == DEPS,
            ),
            **implicitly(),
        )
        for plan in plans
    )
    return layers


async def _check_layers(service: Address, layers: list[LowerLayer], base: Base) -> None:
    """Raises InseamError if two layers have different files at one path."""
    paths = await concurrently(
        digest_subset_to_digest(DigestSubset(layer.digest, PathGlobs([f"{layer.name}/paths.txt"])))
        for layer in layers
    )
    try:
        await run_program(
            ProgramRequest(
                argv=("check_layers", *(layer.name for layer in layers)),
                input=await merge_digests(MergeDigests(paths)),
                output="nothing",
                minor=base.minor,
                description=f"Compare the layers {', '.join(layer.name for layer in layers)}",
            ),
            **implicitly(),
        )
    except InseamError as error:
        raise InseamError(f"{service}: {error}") from error


@dataclass(frozen=True)
class ServiceClosure:
    """What a service is made of.

    entry_points: of the service, then of its healthcheck, as `module:function`. targets: all that
    these need. requirements: of wheels, sorted.
    """

    base: Base
    entry_points: tuple[str, ...]
    targets: FrozenOrderedSet[Target]
    requirements: tuple[str, ...]
    resolve: str
    shared: tuple[Address, ...]


@rule(desc="Find what a service is made of", level=LogLevel.DEBUG)
async def resolve_service(
    request: ServiceLayersRequest, python_setup: PythonSetup
) -> ServiceClosure:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="the layers"), **implicitly()
    )
    target = wrapped.target
    base = await find_base(
        BaseRequest(target[LayersBaseField].value or "", target.address, request.platform),
        **implicitly(),
    )
    if target[InitField].value and base.has_init is False:
        raise InseamError(
            f"{service_of(target.address)}: `init=True` needs tini, which the base {base.address}"
            " does not have. Add `init` to the `groups` of the base."
        )
    roots = await resolve_unparsed_address_inputs(
        target[LayersServiceField].to_unparsed_address_inputs(), **implicitly()
    )
    pex_targets = await transitive_targets(TransitiveTargetsRequest(roots), **implicitly())
    entry_points = await concurrently(
        resolve_pex_entry_point(
            ResolvePexEntryPointRequest(pex[PexEntryPointField]), **implicitly()
        )
        for pex in pex_targets.roots
    )
    shared = await resolve_unparsed_address_inputs(
        target[LayersSharedField].to_unparsed_address_inputs(), **implicitly()
    )
    return ServiceClosure(
        base,
        tuple(entry_point.val.spec for entry_point in entry_points),
        pex_targets.closure,
        requirement_strings(pex_targets.closure),
        pex_targets.roots[0][PythonResolveField].normalized_value(python_setup),
        tuple(shared),
    )


service_closure = by_name(resolve_service)


@dataclass(frozen=True)
class ServiceWheelsRequest:
    """The layers of the wheels that `requirements` need of the lock of `resolve`.

    shared: the `venv_layer`s that come first. platform: as of ServiceLayersRequest.
    """

    service: Address
    requirements: tuple[str, ...]
    resolve: str
    base: Base
    shared: tuple[Address, ...]
    platform: str


@dataclass(frozen=True)
class ServiceWheels:
    """The layers of a service's wheels, lowest first, the shared ones included."""

    layers: tuple[LowerLayer, ...]
    unneeded: tuple[Unneeded, ...]


# Apart from the rule for a service's code, so that an edit of that does not even ask whether this
# is still the same.
@rule(desc="Make the layers of a service's wheels", level=LogLevel.DEBUG)
async def make_service_wheels(
    request: ServiceWheelsRequest, inseam: InseamSubsystem
) -> ServiceWheels:
    service, base, resolve = request.service, request.base, request.resolve
    try:
        locked = await closure_of(
            ClosureRequest(request.requirements, resolve, base.platform), **implicitly()
        )
        shared = await concurrently(
            shared_layer(SharedLayerRequest(address, request.platform), **implicitly())
            for address in request.shared
        )
        check_shared(locked.wheels, shared, base)
        held = {wheel.name for layer in shared for wheel in layer.wheels}
        rest = tuple(wheel for wheel in locked.wheels if wheel.name not in held)
        own = await _wheel_layers(rest, resolve, base, inseam, len(shared))
    except InseamError as error:
        raise InseamError(f"{service}: {error}") from error
    needed = {wheel.name for wheel in locked.wheels}
    extra = [
        (layer, wheel) for layer in shared for wheel in layer.wheels if wheel.name not in needed
    ]
    extra_files = await concurrently(
        fetched_wheel(FetchRequest(wheel, resolve, base.minor), **implicitly())
        for _, wheel in extra
    )
    layers = [*(layer.layer for layer in shared), *own]
    names = [*(layer.name for layer in layers), *RESERVED]
    for layer in shared:
        if names.count(layer.layer.name) > 1:
            raise InseamError(
                f"{service}: the `venv_layer` {layer.address} has the name of another layer. Give"
                " it another name."
            )
    if len(layers) > 1:
        await _check_layers(service, layers, base)
    return ServiceWheels(
        tuple(layers),
        tuple(
            Unneeded(f"{wheel.name} {wheel.version}", file.size, layer.address)
            for (layer, wheel), file in zip(extra, extra_files)
        ),
    )


service_wheels = by_name(make_service_wheels)


@rule(desc="Make the layers below a service's code", level=LogLevel.DEBUG)
async def make_lower_layers(request: ServiceLayersRequest, inseam: InseamSubsystem) -> LowerLayers:
    service = service_of(request.address)
    closure = await service_closure(request, **implicitly())
    wheels = await service_wheels(
        ServiceWheelsRequest(
            service,
            closure.requirements,
            closure.resolve,
            closure.base,
            closure.shared,
            request.platform,
        ),
        **implicitly(),
    )
    sources = await _first_party(closure.targets, inseam.large_wheel)
    layers = list(wheels.layers)
    if sources.data is not None:
        made = await run_program(
            ProgramRequest(
                argv=("data", f"--target={service}", "--sources=sources", "--out=layers/data"),
                input=sources.data,
                output="layers",
                minor=closure.base.minor,
                description=f"Lay out the data of {service}",
            ),
            **implicitly(),
        )
        layers.append(LowerLayer("data", made.digest))
    entry_points = tuple(f"{field}={spec}" for field, spec in zip(LAUNCHERS, closure.entry_points))
    paths = {entry.path for entry in sources.code}
    names = (first_name(path) for path in paths)
    return LowerLayers(
        tuple(layers),
        closure.base,
        entry_points,
        await _units(sources.code, entry_points),
        tuple(entry_point for entry_point in entry_points if not _modules(entry_point) & paths),
        wheels.unneeded,
        await _namesakes(wheels.layers, names, entry_points),
    )


lower_layers = by_name(make_lower_layers)


def check_shared(wheels: Iterable[LockedWheel], shared: Iterable[SharedLayer], base: Base) -> None:
    """Raises InseamError if shared layers hold one distribution twice, other versions than the
    service needs, or wheels for another base."""
    needed = {wheel.name: wheel for wheel in wheels}
    seen: dict[str, Address] = {}
    for layer in shared:
        if layer.base.platform != base.platform:
            raise InseamError(
                f"the layer {layer.address} is for another platform than the service's base. Set"
                " the `base` of both to the same one."
            )
        for wheel in layer.wheels:
            other = seen.setdefault(wheel.name, layer.address)
            if other != layer.address:
                raise InseamError(
                    f"the layers {other} and {layer.address} both hold {wheel.name}. Take it out of"
                    " one of them, or list only one."
                )
            own = needed.get(wheel.name)
            if own is not None and own.sha256 != wheel.sha256:
                raise InseamError(
                    f"the layer {layer.address} holds {wheel.name} {wheel.version}, but the"
                    f" service needs {own.version} of another resolve. Lock both alike, or leave"
                    " the layer out."
                )


async def _subset(layer: LowerLayer, file: str) -> Digest:
    """A digest with one file of a layer at its root."""
    found = await digest_subset_to_digest(
        DigestSubset(layer.digest, PathGlobs([f"{layer.name}/{file}"]))
    )
    return await remove_prefix(RemovePrefix(found, layer.name))


async def _check_code(lower: LowerLayers) -> None:
    """Raises InseamError if code and wheels hide each other, or have no entry point."""
    paths = await concurrently(_subset(layer, PATHS) for layer in lower.namesakes)
    await run_program(
        ProgramRequest(
            argv=(
                "check_code",
                "--sources=sources",
                *(f"--entry-point={entry_point}" for entry_point in lower.entry_points),
                *(layer.name for layer in lower.namesakes),
            ),
            input=await merge_digests(MergeDigests(unit.sources for unit in lower.units)),
            output="nothing",
            minor=lower.base.minor,
            shared=tuple((layer.name, digest) for layer, digest in zip(lower.namesakes, paths)),
            description="Compare code with "
            + (", ".join(layer.name for layer in lower.namesakes) or "its entry points"),
        ),
        **implicitly(),
    )


async def _laid_out(unit: Unit, format: str, minor: str) -> Code:
    libraries = await compressors(CompressorsRequest(minor), **implicitly())
    result = await run_program(
        ProgramRequest(
            argv=(
                "code",
                "--sources=sources",
                f"--at={unit.at}",
                "--out=code",
                f"--format={format}",
                *(f"--entry-point={entry_point}" for entry_point in unit.entry_points),
                *(["--launchers"] if unit.launchers else []),
            ),
            input=unit.sources,
            output="code",
            minor=minor,
            libraries=libraries.digest,
            description=f"Lay out the code in {unit.name}",
        ),
        **implicitly(),
    )
    contents = {file.path: file.content for file in await get_digest_contents(result.digest)}
    return Code(contents[INDEX], contents[TAR], contents[BLOB])


@rule(desc="Join a layer of code", level=LogLevel.DEBUG)
async def make_code_layer(request: CodeLayerRequest) -> CodeLayer:
    # For a tar, too, so that both kinds of image are made of the same units.
    format = request.compression or "gzip"
    codes = await concurrently(_laid_out(unit, format, request.minor) for unit in request.units)
    # A few kilobytes, which are only put one after the other: that takes no process.
    tar, blob = joined(codes)
    name, diff_id = request.name, f"sha256:{hashlib.sha256(tar).hexdigest()}"
    if not request.compression:
        layer = Layer(name, f"{name}.tar", diff_id, len(tar))
        files = [FileContent(layer.file, tar), FileContent(LAYERS, dump_layers([layer]))]
    else:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        media_type = MEDIA_TYPES[request.compression]
        described = LayerBlob(name, media_type, digest, len(blob), diff_id, len(tar))
        files = [
            FileContent(DESCRIPTOR, dump_layer(described)),
            FileContent(blob_path(Path(), digest).as_posix(), blob),
        ]
    return CodeLayer(name, await create_digest(CreateDigest(files)))


code_layer = by_name(make_code_layer)


@rule(desc="Make the layers of a service's code", level=LogLevel.DEBUG)
async def make_code_layers(request: CodeLayersRequest) -> CodeLayers:
    service = service_of(request.service.address)
    lower = await lower_layers(request.service, **implicitly())
    own = tuple(unit for unit in lower.units if unit.launchers)
    others = tuple(unit for unit in lower.units if not unit.launchers)
    try:
        if lower.namesakes or lower.elsewhere:
            await _check_code(lower)
        layers = await concurrently(
            code_layer(
                CodeLayerRequest(name, units, request.compression, lower.base.minor), **implicitly()
            )
            for name, units in ((LIBRARIES, others), (APP_LAYER, own))
            if units
        )
    except InseamError as error:
        raise InseamError(f"{service}: {error}") from error
    return CodeLayers(tuple(layers))


code_layers = by_name(make_code_layers)


def service_of(generated: Address) -> Address:
    """The `python_service` that generated the target at an address."""
    return generated.maybe_convert_to_target_generator()


async def _layers_json(lower: LowerLayers, code: CodeLayers) -> Digest:
    """A digest with the `layers.json` of a whole service at its root."""
    digests = await concurrently(
        [
            *(_subset(layer, LAYERS) for layer in lower.layers),
            *(
                digest_subset_to_digest(DigestSubset(layer.digest, PathGlobs([LAYERS])))
                for layer in code.layers
            ),
        ]
    )
    contents = await concurrently(get_digest_contents(digest) for digest in digests)
    layers = [layer for files in contents for file in files for layer in load_layers(file.content)]
    return await create_digest(CreateDigest([FileContent(LAYERS, dump_layers(layers))]))


async def _code_tars(code: CodeLayers) -> Digest:
    """A digest with the tars of a service's code at its root."""
    tars = await concurrently(
        digest_subset_to_digest(DigestSubset(layer.digest, PathGlobs([f"{layer.name}.tar"])))
        for layer in code.layers
    )
    merged: Digest = await merge_digests(MergeDigests(tars))
    return merged


class GenerateLayers(GenerateSourcesRequest):
    input = LayersSourcesField
    output = LAYER_FILES


@rule(desc="Export layers", level=LogLevel.DEBUG)
async def generate_layers(request: GenerateLayers) -> GeneratedSources:
    address = request.protocol_target.address
    lower = await lower_layers(ServiceLayersRequest(address), **implicitly())
    code = await code_layers(CodeLayersRequest(ServiceLayersRequest(address)), **implicitly())
    tars = await concurrently(_subset(layer, f"{layer.name}.tar") for layer in lower.layers)
    merged = await merge_digests(
        MergeDigests([await _code_tars(code), await _layers_json(lower, code), *tars])
    )
    digest = await add_prefix(AddPrefix(merged, layer_folder(service_of(address))))
    return GeneratedSources(await digest_to_snapshot(digest))


class GenerateAppLayer(GenerateSourcesRequest):
    input = AppSourcesField
    output = LAYER_FILES
    exportable = False


@rule(desc="Make the layers of code for a build context", level=LogLevel.DEBUG)
async def generate_app_layer(request: GenerateAppLayer) -> GeneratedSources:
    layers = request.protocol_target[AppLayersField].value
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [layers],
            owning_address=request.protocol_target.address,
            description_of_origin="the app layer",
        ),
        **implicitly(),
    )
    code = await code_layers(CodeLayersRequest(ServiceLayersRequest(addresses[0])), **implicitly())
    tars = [await _code_tars(code)]
    if len(code.layers) == 1:
        # The Dockerfile, which is written before anybody knows of this, adds both.
        nothing = FileContent(f"{LIBRARIES}.tar", no_code())
        tars.append(await create_digest(CreateDigest([nothing])))
    folder = layer_folder(service_of(request.protocol_target.address))
    digest = await add_prefix(AddPrefix(await merge_digests(MergeDigests(tars)), folder))
    return GeneratedSources(await digest_to_snapshot(digest))


@dataclass(frozen=True)
class LayersFieldSet(PackageFieldSet):
    required_fields = (LayersSourcesField,)

    sources: LayersSourcesField


@rule(desc="Package layers", level=LogLevel.DEBUG)
async def package_layers(field_set: LayersFieldSet) -> BuiltPackage:
    service = service_of(field_set.address)
    lower = await lower_layers(ServiceLayersRequest(field_set.address), **implicitly())
    code = await code_layers(
        CodeLayersRequest(ServiceLayersRequest(field_set.address)), **implicitly()
    )
    folder = f"{service.spec_path.replace('/', '.') or '.'}/{service.target_name}.layers"
    digest = await add_prefix(AddPrefix(await _layers_json(lower, code), folder))
    lines = tuple(
        f"{item.layer} holds {item.distribution} ({item.size:,} bytes), which {service} does not"
        " need"
        for item in lower.unneeded
    )
    return BuiltPackage(digest, (BuiltPackageArtifact(f"{folder}/layers.json", lines),))


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateSourcesRequest, GenerateLayers),
        UnionRule(GenerateSourcesRequest, GenerateAppLayer),
        UnionRule(PackageFieldSet, LayersFieldSet),
    ]
