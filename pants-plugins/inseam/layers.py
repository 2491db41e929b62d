"""Rules that make the layers of a service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    PexEntryPointField,
    PythonRequirementsField,
    PythonResolveField,
    ResolvePexEntryPointRequest,
)
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.backend.python.util_rules.pex_requirements import ResolvePexConfigRequest
from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest
from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.addresses import Address
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
)
from pants.engine.rules import collect_rules, rule
from pants.engine.target import (
    GeneratedSources,
    GenerateSourcesRequest,
    TransitiveTargetsRequest,
    WrappedTargetRequest,
)
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.bases import Base, BaseRequest, find_base
from inseam.compat import (
    add_prefix,
    by_name,
    concurrently,
    create_digest,
    determine_resolve_pex_config,
    digest_subset_to_digest,
    digest_to_snapshot,
    execute_pex_cli,
    get_digest_contents,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    prepare_python_sources,
    remove_prefix,
    resolve_pex_entry_point,
    resolve_target,
    resolve_unparsed_address_inputs,
    strip_python_sources,
    transitive_targets,
)
from inseam.plan.lock import Closure, LockError, closure, parse
from inseam.plan.platform import Platform
from inseam.program import InseamError, ProgramRequest, run_program
from inseam.service import layer_folder
from inseam.target_types import (
    LAYER_FILES,
    LayersBaseField,
    LayersServiceField,
    LayersSourcesField,
)


@dataclass(frozen=True)
class WheelsRequest:
    """The wheels of a closure, fetched."""

    closure: Closure
    platform: Platform
    resolve: str


@dataclass(frozen=True)
class Wheels:
    """A digest with the wheel files, at its root."""

    digest: Digest


@dataclass(frozen=True)
class DepsLayerRequest:
    """The layer of a closure's wheels, with the venv around them."""

    closure: Closure
    base: Base
    resolve: str


@dataclass(frozen=True)
class DepsLayer:
    """A digest with `deps.tar`, `layers.json` and `paths.txt`, in the folder `deps`."""

    digest: Digest


@dataclass(frozen=True)
class ServiceLayersRequest:
    """All layers of the service whose `#layers` target has this address."""

    address: Address


@dataclass(frozen=True)
class ServiceLayers:
    """A digest with `layers.json` and the tars that it names, at its root."""

    digest: Digest


@rule(desc="Fetch locked wheels", level=LogLevel.DEBUG)
async def fetch_wheels(request: WheelsRequest) -> Wheels:
    config = await determine_resolve_pex_config(
        ResolvePexConfigRequest(request.resolve), **implicitly()
    )
    inputs = await create_digest(
        CreateDigest(
            [
                FileContent("closure.lock", request.closure.lock),
                FileContent(
                    "platform.json",
                    json.dumps(request.platform.complete_platform(), sort_keys=True).encode(),
                ),
            ]
        )
    )
    wheels = request.closure.wheels
    result = await execute_pex_cli(
        PexCliProcess(
            subcommand=(),
            extra_args=(
                *(f"{wheel.name}=={wheel.version}" for wheel in wheels),
                "--lock=closure.lock",
                *config.pex_args(),
                "--complete-platform=platform.json",
                "--no-pre-install-wheels",
                "--layout=packed",
                "--no-emit-warnings",
                "--output-file=wheels",
            ),
            additional_input_digest=inputs,
            output_directories=("wheels/.deps",),
            concurrency_available=len(wheels),
            description=f"Fetch {len(wheels)} wheels of {request.resolve}",
        )
    )
    if result.exit_code != 0:
        raise InseamError(
            f"Fetching the wheels of resolve {request.resolve!r} failed. If a hash does not match,"
            " the index serves another file than the one that was locked: run ./pants"
            f" generate-lockfiles --resolve={request.resolve} and look at the difference. If the"
            " index can't be reached, see to the network or set it in [python-repos].\n"
            + result.stderr.decode(errors="replace").strip()
        )
    digest = await remove_prefix(RemovePrefix(result.output_digest, "wheels/.deps"))
    found = await digest_to_snapshot(digest)
    missing = {wheel.filename for wheel in wheels} - set(found.files)
    if missing:
        raise InseamError(f"PEX did not fetch {', '.join(sorted(missing))}.")
    return Wheels(digest)


wheels_of = by_name(fetch_wheels)


@rule(desc="Lay out wheels", level=LogLevel.DEBUG)
async def make_deps_layer(request: DepsLayerRequest) -> DepsLayer:
    base, wheels = request.base, request.closure.wheels
    minor = base.minor
    units: tuple[Any, ...] = ()
    if wheels:
        fetched = await wheels_of(
            WheelsRequest(request.closure, base.platform, request.resolve), **implicitly()
        )
        files = await concurrently(
            digest_subset_to_digest(DigestSubset(fetched.digest, PathGlobs([wheel.filename])))
            for wheel in wheels
        )
        units = await concurrently(
            run_program(
                ProgramRequest(
                    argv=("wheel", wheel.filename, f"units/{wheel.filename}"),
                    input=file,
                    output="units",
                    minor=minor,
                    description=f"Lay out {wheel.filename}",
                ),
                **implicitly(),
            )
            for wheel, file in zip(wheels, files)
        )
    folders = await merge_digests(MergeDigests(unit.digest for unit in units))
    joined = await run_program(
        ProgramRequest(
            argv=(
                "join",
                "--name=deps",
                "--out=layers/deps",
                f"--venv-interpreter={base.interpreter}",
                f"--venv-version={base.platform.python}",
                f"--machine={base.platform.machine}",
                *(wheel.filename for wheel in wheels),
            ),
            input=folders,
            output="layers",
            minor=minor,
            description=f"Join {len(wheels)} wheels to a layer",
        ),
        **implicitly(),
    )
    return DepsLayer(joined.digest)


deps_layer = by_name(make_deps_layer)


async def _closure(
    service: Address, targets: Any, resolve: str, base: Base, python_setup: PythonSetup
) -> Closure:
    requirements = {
        str(requirement)
        for target in targets
        if target.has_field(PythonRequirementsField)
        for requirement in target[PythonRequirementsField].value
    }
    if not requirements:
        return Closure((), b"")
    path = python_setup.resolves[resolve]
    digest = await path_globs_to_digest(PathGlobs([path]))
    contents = await get_digest_contents(digest)
    if not contents:
        raise InseamError(
            f"{service}: the lock file {path} of resolve {resolve!r} does not exist. Run: ./pants"
            f" generate-lockfiles --resolve={resolve}"
        )
    try:
        lock = parse(contents[0].content, path, resolve)
        return closure(lock, requirements, base.platform, resolve=resolve)
    except LockError as error:
        raise InseamError(f"{service}: {error}") from error


def _service(layers: Address) -> Address:
    return layers.maybe_convert_to_target_generator()


@rule(desc="Make layers", level=LogLevel.DEBUG)
async def make_service_layers(
    request: ServiceLayersRequest, python_setup: PythonSetup
) -> ServiceLayers:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="the layers"), **implicitly()
    )
    layers = wrapped.target
    service = _service(layers.address)
    base = await find_base(
        BaseRequest(layers[LayersBaseField].value or "", layers.address), **implicitly()
    )
    roots = await resolve_unparsed_address_inputs(
        layers[LayersServiceField].to_unparsed_address_inputs(), **implicitly()
    )
    pex_targets = await transitive_targets(TransitiveTargetsRequest(roots), **implicitly())
    entry_points = await concurrently(
        resolve_pex_entry_point(
            ResolvePexEntryPointRequest(target[PexEntryPointField]), **implicitly()
        )
        for target in pex_targets.roots
    )
    resolve = pex_targets.roots[0][PythonResolveField].normalized_value(python_setup)
    needed = await _closure(service, pex_targets.closure, resolve, base, python_setup)
    stripped_request = await prepare_python_sources(
        PythonSourceFilesRequest(pex_targets.closure), **implicitly()
    )
    stripped = await strip_python_sources(stripped_request)
    sources = await add_prefix(
        AddPrefix(stripped.stripped_source_files.snapshot.digest, "sources")
    )
    try:
        deps = await deps_layer(DepsLayerRequest(needed, base, resolve), **implicitly())
    except InseamError as error:
        raise InseamError(f"{service}: {error}") from error
    metadata = await digest_subset_to_digest(
        DigestSubset(deps.digest, PathGlobs(["deps/layers.json", "deps/paths.txt"]))
    )
    inputs = await merge_digests(MergeDigests([sources, metadata]))
    specs = [entry_point.val.spec for entry_point in entry_points]
    app = await run_program(
        ProgramRequest(
            argv=(
                "app",
                f"--target={service}",
                "--sources=sources",
                "--out=app",
                f"--entry-point={specs[0]}",
                *(f"--healthcheck={spec}" for spec in specs[1:]),
                "deps",
            ),
            input=inputs,
            output="app",
            minor=base.minor,
            description=f"Lay out the code of {service}",
        ),
        **implicitly(),
    )
    tar = await digest_subset_to_digest(DigestSubset(deps.digest, PathGlobs(["deps/deps.tar"])))
    deps_tar = await remove_prefix(RemovePrefix(tar, "deps"))
    return ServiceLayers(await merge_digests(MergeDigests([deps_tar, app.digest])))


service_layers = by_name(make_service_layers)


class GenerateLayers(GenerateSourcesRequest):
    input = LayersSourcesField
    output = LAYER_FILES


@rule(desc="Make layers for a build context", level=LogLevel.DEBUG)
async def generate_layers(request: GenerateLayers) -> GeneratedSources:
    address = request.protocol_target.address
    layers = await service_layers(ServiceLayersRequest(address), **implicitly())
    digest = await add_prefix(AddPrefix(layers.digest, layer_folder(_service(address))))
    return GeneratedSources(await digest_to_snapshot(digest))


@dataclass(frozen=True)
class LayersFieldSet(PackageFieldSet):
    required_fields = (LayersSourcesField,)

    sources: LayersSourcesField


@rule(desc="Package layers", level=LogLevel.DEBUG)
async def package_layers(field_set: LayersFieldSet) -> BuiltPackage:
    service = _service(field_set.address)
    layers = await service_layers(ServiceLayersRequest(field_set.address), **implicitly())
    metadata = await digest_subset_to_digest(
        DigestSubset(layers.digest, PathGlobs(["layers.json"]))
    )
    folder = f"{service.spec_path.replace('/', '.') or '.'}/{service.target_name}.layers"
    digest = await add_prefix(AddPrefix(metadata, folder))
    return BuiltPackage(digest, (BuiltPackageArtifact(f"{folder}/layers.json"),))


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateSourcesRequest, GenerateLayers),
        UnionRule(PackageFieldSet, LayersFieldSet),
    ]
