"""Rules that find what a service is made of, and make the layers below its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    PexEntryPointField,
    PythonResolveField,
    ResolvePexEntryPointRequest,
)
from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest
from pants.engine.addresses import Address
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    CreateDigest,
    Digest,
    DigestSubset,
    FileEntry,
    PathGlobs,
)
from pants.engine.rules import collect_rules, rule
from pants.engine.target import Target, TransitiveTargetsRequest, WrappedTargetRequest
from pants.util.logging import LogLevel
from pants.util.ordered_set import FrozenOrderedSet

from inseam.compat import (
    add_prefix,
    by_name,
    concurrently,
    create_digest,
    digest_subset_to_digest,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    prepare_python_sources,
    resolve_pex_entry_point,
    resolve_target,
    resolve_unparsed_address_inputs,
    strip_python_sources,
    transitive_targets,
)
from inseam.formats.failure import Failure
from inseam.formats.oci.layer import DATA_LAYER
from inseam.formats.python.entry_point import CONSOLE_SCRIPTS, EntryPoint
from inseam.formats.python.installed import NAMES, first_name, load_names
from inseam.formats.python.venv import SCRIPTS
from inseam.plan.code import split_code
from inseam.rules.base import Base, BaseRequest, find_base
from inseam.rules.generate import service_of
from inseam.rules.layers import StoredLayer, layer_folder, stored_layer
from inseam.rules.process import ProgramRequest, run_program
from inseam.rules.wheel_layers import ServiceWheelsRequest, Unneeded, service_wheels
from inseam.rules.wheels import requirement_strings
from inseam.subsystem import InseamSubsystem
from inseam.targets.container import InitField
from inseam.targets.layer import LayersBaseField, LayersServiceField, LayersSharedField

SOURCES = "sources"  # the folder of first-party files in a digest


@dataclass(frozen=True)
class ServiceRequest:
    """The service whose `#layers` target has this address.

    platform: another one than the base declares, as "linux/arm64"; "" for its own.
    """

    address: Address
    platform: str = ""


@dataclass(frozen=True)
class ServiceClosure:
    """What a service is made of.

    entry_points: of the service, then of its healthcheck. targets: all that these need.
    requirements: of wheels, sorted. shared: the addresses of its `venv_layer`s.
    """

    base: Base
    entry_points: tuple[EntryPoint, ...]
    targets: FrozenOrderedSet[Target]
    requirements: tuple[str, ...]
    resolve: str
    shared: tuple[Address, ...]


@rule(desc="Find what a service is made of", level=LogLevel.DEBUG)
async def resolve_service(request: ServiceRequest, python_setup: PythonSetup) -> ServiceClosure:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="the layers"), **implicitly()
    )
    target = wrapped.target
    base = await find_base(
        BaseRequest(target[LayersBaseField].value or "", target.address, request.platform),
        **implicitly(),
    )
    if target[InitField].value and base.has_init is False:
        raise Failure(
            f"{service_of(target.address)}: `init=True` needs tini, which the base {base.address}"
            " does not have. Add `init` to the `groups` of the base."
        )
    roots = await resolve_unparsed_address_inputs(
        target[LayersServiceField].to_unparsed_address_inputs(), **implicitly()
    )
    pex_targets = await transitive_targets(TransitiveTargetsRequest(roots), **implicitly())
    found = await concurrently(
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
        tuple(
            EntryPoint(name, one.val.module, one.val.function or "")
            for name, one in zip(CONSOLE_SCRIPTS.values(), found)
        ),
        pex_targets.closure,
        requirement_strings(pex_targets.closure),
        pex_targets.roots[0][PythonResolveField].normalized_value(python_setup),
        tuple(shared),
    )


service_closure = by_name(resolve_service)


@dataclass(frozen=True)
class CodeSources:
    """First-party files that one process turns into fragments of layers.

    name, folder: as of `plan.code.CodeUnit`. sources: the files, in the folder SOURCES.
    entry_points: those that it checks. console_scripts: whether it makes theirs.
    """

    name: str
    folder: str
    sources: Digest
    entry_points: tuple[EntryPoint, ...]
    console_scripts: bool


@dataclass(frozen=True)
class DependencyLayers:
    """What is below a service's code, lowest first, and what its last layers are made of.

    wheel_layers: those of `layers` that hold wheels. entry_points: of the service, then of its
    healthcheck. code: the first-party files that are not in the layer `data`. outside: those of the
    entry points whose modules are not among them. names: by which `import` finds the code, or looks
    for it.
    """

    layers: tuple[StoredLayer, ...]
    wheel_layers: tuple[StoredLayer, ...]
    base: Base
    entry_points: tuple[EntryPoint, ...]
    code: tuple[CodeSources, ...]
    outside: tuple[EntryPoint, ...]
    names: frozenset[str]
    unneeded: tuple[Unneeded, ...]


@dataclass(frozen=True)
class _FirstParty:
    """First-party files: the entries of code, and a digest with the large ones of data in the
    folder SOURCES, None if there are none."""

    code: tuple[FileEntry, ...]
    data: Digest | None


async def _below_sources(entries: Iterable[FileEntry]) -> Digest:
    digest = await create_digest(CreateDigest(entries))
    prefixed: Digest = await add_prefix(AddPrefix(digest, SOURCES))
    return prefixed


async def _first_party(closure: Any, large: int) -> _FirstParty:
    """First-party files, as they are imported; data are those of `large` bytes or more that are
    not Python."""
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
        return _FirstParty(tuple(files), None)
    held = {entry.path for entry in data}
    code = tuple(entry for entry in files if entry.path not in held)
    return _FirstParty(code, await _below_sources(data))


async def _data_layer(data: Digest, base: Base) -> StoredLayer:
    made = await run_program(
        ProgramRequest(
            argv=("data", f"--sources={SOURCES}", f"--out=out/{layer_folder(DATA_LAYER)}"),
            input=data,
            output="out",
            python_version=base.python_version,
            description=f"Make the layer {DATA_LAYER}",
        ),
        **implicitly(),
    )
    return await stored_layer(DATA_LAYER, made.digest)


async def _code_sources(
    code: Iterable[FileEntry], entry_points: tuple[EntryPoint, ...]
) -> tuple[CodeSources, ...]:
    """What becomes a service's code. Sources that have nothing to do with the service's entry
    points do not know of the service, so that all services with the same files share them."""
    by_path = {entry.path: entry for entry in code}
    units = split_code(by_path)
    inside = [
        tuple(one for one in entry_points if set(one.files).intersection(unit.paths))
        for unit in units
    ]
    main = next((n for n, found in enumerate(inside) if entry_points[0] in found), None)
    digests = await concurrently(
        _below_sources(by_path[path] for path in unit.paths) for unit in units
    )
    found = [
        CodeSources(
            unit.name,
            unit.folder,
            digest,
            entry_points if number == main else inside[number],
            number == main,
        )
        for number, (unit, digest) in enumerate(zip(units, digests))
    ]
    if main is None:
        found.append(CodeSources("no package", "", EMPTY_DIGEST, entry_points, True))
    return tuple(found)


@rule(desc="Make the layers below a service's code", level=LogLevel.DEBUG)
async def make_dependency_layers(
    request: ServiceRequest, inseam: InseamSubsystem
) -> DependencyLayers:
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
    layers = wheels.layers
    if sources.data is not None:
        try:
            layers = (*layers, await _data_layer(sources.data, closure.base))
        except Failure as error:
            raise Failure(f"{service}: {error}") from error
    paths = {entry.path for entry in sources.code}
    return DependencyLayers(
        layers,
        wheels.layers,
        closure.base,
        closure.entry_points,
        await _code_sources(sources.code, closure.entry_points),
        tuple(one for one in closure.entry_points if not paths.intersection(one.files)),
        frozenset(
            [
                *(first_name(path) for path in paths),
                *(first_name(one.module) for one in closure.entry_points),
                *(f"{SCRIPTS}/{name}" for name in CONSOLE_SCRIPTS.values()),
            ]
        ),
        wheels.unneeded,
    )


dependency_layers = by_name(make_dependency_layers)


async def layers_with_names(
    layers: Iterable[StoredLayer], names: frozenset[str]
) -> tuple[StoredLayer, ...]:
    """The layers of wheels with one of the names that code has, too, or looks for.

    Most services have no such layer. What their code is made from then does not say which wheels
    are below, and it is compiled once, whatever versions the lock has.
    """
    layers = list(layers)
    found = await concurrently(
        digest_subset_to_digest(DigestSubset(layer.digest, PathGlobs([f"{layer.folder}/{NAMES}"])))
        for layer in layers
    )
    texts = await concurrently(get_digest_contents(digest) for digest in found)
    return tuple(
        layer
        for layer, files in zip(layers, texts)
        if any(names & load_names(file.content) for file in files)
    )


def rules() -> list[Any]:
    return [*collect_rules()]
