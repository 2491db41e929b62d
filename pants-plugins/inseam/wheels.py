"""Rules that turn locked wheels into layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.repos import PythonRepos
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementsField, PythonResolveField
from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, PackageFieldSet
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    Digest,
    DigestSubset,
    FileEntry,
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
    digest_subset_to_digest,
    digest_to_snapshot,
    environment_vars_subset,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    remove_prefix,
    resolve_target,
    resolve_unparsed_address_inputs,
    transitive_targets,
)
from inseam.plan.lock import LockedWheel, LockError, closure, matching, parse, resolve_url
from inseam.plan.platform import Platform
from inseam.program import NETWORK_ENV, InseamError, ProgramRequest, run_program
from inseam.subsystem import InseamSubsystem
from inseam.target_types import (
    LAYER_FILES,
    LayerBaseField,
    LayerClosureField,
    LayerRequirementsField,
    SharedLayerSourcesField,
)


@dataclass(frozen=True)
class ClosureRequest:
    """The wheels that `requirements` need of the lock of `resolve`, and those of the distributions
    that `globs` match."""

    requirements: tuple[str, ...]
    resolve: str
    platform: Platform
    globs: tuple[str, ...] = ()
    transitive: bool = True


@dataclass(frozen=True)
class LockedWheels:
    """Wheels in order of name."""

    wheels: tuple[LockedWheel, ...]


@dataclass(frozen=True)
class LockRequest:
    """The lock file of a resolve."""

    resolve: str


@dataclass(frozen=True)
class Lock:
    """A lock file, read: the digest of the file, and its JSON."""

    digest: Digest
    content: dict[str, Any] = field(compare=False)


@rule(desc="Read the lock", level=LogLevel.DEBUG)
async def read_lock(request: LockRequest, python_setup: PythonSetup) -> Lock:
    resolve = request.resolve
    path = python_setup.resolves[resolve]
    digest = await path_globs_to_digest(PathGlobs([path]))
    contents = await get_digest_contents(digest)
    if not contents:
        raise InseamError(
            f"the lock file {path} of resolve {resolve!r} does not exist. Run: ./pants"
            f" generate-lockfiles --resolve={resolve}"
        )
    try:
        return Lock(digest, parse(contents[0].content, path, resolve))
    except LockError as error:
        raise InseamError(str(error)) from error


lock_of = by_name(read_lock)


@rule(desc="Find the wheels of requirements", level=LogLevel.DEBUG)
async def read_closure(request: ClosureRequest) -> LockedWheels:
    if not request.requirements and not request.globs:
        return LockedWheels(())
    resolve = request.resolve
    lock = (await lock_of(LockRequest(resolve), **implicitly())).content
    try:
        found = {
            wheel.name: wheel
            for glob in request.globs
            for wheel in matching(lock, glob, request.platform, resolve=resolve)
        }
        roots = [*request.requirements]
        if request.transitive:
            roots += [f"{wheel.name}=={wheel.version}" for wheel in found.values()]
        needed = closure(lock, roots, request.platform, resolve=resolve)
    except LockError as error:
        raise InseamError(str(error)) from error
    if not request.transitive:
        named = {canonicalize_name(Requirement(text).name) for text in request.requirements}
        needed = tuple(wheel for wheel in needed if wheel.name in named)
    found.update({wheel.name: wheel for wheel in needed})
    return LockedWheels(tuple(found[name] for name in sorted(found)))


closure_of = by_name(read_closure)


@dataclass(frozen=True)
class FetchRequest:
    """A wheel of the lock of `resolve`, fetched by CPython `minor`."""

    wheel: LockedWheel
    resolve: str
    minor: str


@dataclass(frozen=True)
class FetchedWheel:
    """A digest with the wheel's file at its root, and its size in bytes."""

    digest: Digest
    size: int


@rule(desc="Fetch a wheel", level=LogLevel.DEBUG)
async def fetch_wheel(request: FetchRequest, python_repos: PythonRepos) -> FetchedWheel:
    wheel = request.wheel
    env = await environment_vars_subset(EnvironmentVarsRequest(NETWORK_ENV), **implicitly())
    try:
        url = resolve_url(wheel.url, python_repos.path_mappings)
    except LockError as error:
        raise InseamError(str(error)) from error
    result = await run_program(
        ProgramRequest(
            argv=("fetch_wheel", url, wheel.sha256, f"wheels/{wheel.filename}"),
            input=EMPTY_DIGEST,
            output="wheels",
            minor=request.minor,
            description=f"Fetch {wheel.filename}",
            env=tuple(sorted(env.items())),
        ),
        **implicitly(),
    )
    (entry,) = await get_digest_entries(result.digest)
    assert isinstance(entry, FileEntry)
    return FetchedWheel(result.digest, entry.file_digest.serialized_bytes_length)


fetched_wheel = by_name(fetch_wheel)


@dataclass(frozen=True)
class LayerRequest:
    """A layer of wheels for a base, with the venv around them if `venv` is true."""

    name: str
    wheels: tuple[LockedWheel, ...]
    resolve: str
    base: Base
    venv: bool


@dataclass(frozen=True)
class LowerLayer:
    """A layer that is not a service's code: a digest with `<name>.tar`, `layers.json` and
    `paths.txt`, in a folder with the layer's name."""

    name: str
    digest: Digest


@rule(desc="Make a layer of wheels", level=LogLevel.DEBUG)
async def make_layer(request: LayerRequest) -> LowerLayer:
    base, minor = request.base, request.base.minor
    fetched = await concurrently(
        fetched_wheel(FetchRequest(wheel, request.resolve, minor), **implicitly())
        for wheel in request.wheels
    )
    units = await concurrently(
        run_program(
            ProgramRequest(
                argv=("wheel", wheel.filename, f"units/{wheel.filename}"),
                input=file.digest,
                output="units",
                minor=minor,
                description=f"Lay out {wheel.filename}",
            ),
            **implicitly(),
        )
        for wheel, file in zip(request.wheels, fetched)
    )
    folders = await merge_digests(MergeDigests(unit.digest for unit in units))
    venv = (f"--venv-interpreter={base.interpreter}", f"--venv-version={minor}")
    joined = await run_program(
        ProgramRequest(
            argv=(
                "join",
                f"--name={request.name}",
                f"--out=layers/{request.name}",
                f"--machine={base.platform.machine}",
                *(venv if request.venv else ()),
                *(wheel.filename for wheel in request.wheels),
            ),
            input=folders,
            output="layers",
            minor=minor,
            description=f"Join the layer {request.name} of {len(request.wheels)} wheels",
        ),
        **implicitly(),
    )
    return LowerLayer(request.name, joined.digest)


layer_of = by_name(make_layer)


@dataclass(frozen=True)
class SharedLayerRequest:
    """The `venv_layer` at an address, for a platform, "" for that of its base."""

    address: Address
    platform: str = ""


@dataclass(frozen=True)
class SharedLayer:
    """What a `venv_layer` holds, for which base."""

    address: Address
    wheels: tuple[LockedWheel, ...]
    base: Base
    layer: LowerLayer


@rule(desc="Make a shared layer", level=LogLevel.DEBUG)
async def make_shared_layer(
    request: SharedLayerRequest, python_setup: PythonSetup, inseam: InseamSubsystem
) -> SharedLayer:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a layer"), **implicitly()
    )
    target = wrapped.target
    if not target.has_field(LayerRequirementsField):
        raise InseamError(f"{target.address} is a `{target.alias}`, but must be a `venv_layer`.")
    base = await find_base(
        BaseRequest(
            target[LayerBaseField].value or inseam.base or "", target.address, request.platform
        ),
        **implicitly(),
    )
    members = target[LayerRequirementsField].value
    specs = [member for member in members if "/" in member or ":" in member]
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            specs,
            owning_address=target.address,
            description_of_origin=f"the `requirements` of {target.address}",
        ),
        **implicitly(),
    )
    found = await transitive_targets(TransitiveTargetsRequest(addresses), **implicitly())
    requirements = requirement_strings(found.roots)
    resolve = target[PythonResolveField].normalized_value(python_setup)
    try:
        locked = await closure_of(
            ClosureRequest(
                requirements,
                resolve,
                base.platform,
                globs=tuple(member for member in members if member not in specs),
                transitive=target[LayerClosureField].value,
            ),
            **implicitly(),
        )
        layer = await layer_of(
            LayerRequest(target.address.target_name, locked.wheels, resolve, base, venv=False),
            **implicitly(),
        )
    except InseamError as error:
        raise InseamError(f"{target.address}: {error}") from error
    return SharedLayer(target.address, locked.wheels, base, layer)


shared_layer = by_name(make_shared_layer)


def requirement_strings(targets: Iterable[Any]) -> tuple[str, ...]:
    """The requirements that the `python_requirement`s among `targets` stand for, sorted."""
    return tuple(
        sorted(
            {
                str(requirement)
                for target in targets
                if target.has_field(PythonRequirementsField)
                for requirement in target[PythonRequirementsField].value
            }
        )
    )


class GenerateSharedLayer(GenerateSourcesRequest):
    input = SharedLayerSourcesField
    output = LAYER_FILES


@rule(desc="Export a shared layer", level=LogLevel.DEBUG)
async def generate_shared_layer(request: GenerateSharedLayer) -> GeneratedSources:
    address = request.protocol_target.address
    shared = await shared_layer(SharedLayerRequest(address), **implicitly())
    content = await remove_prefix(RemovePrefix(shared.layer.digest, shared.layer.name))
    folder = f"{address.spec_path or '.'}/{address.target_name}"
    digest = await add_prefix(AddPrefix(content, folder))
    return GeneratedSources(await digest_to_snapshot(digest))


@dataclass(frozen=True)
class SharedLayerFieldSet(PackageFieldSet):
    required_fields = (SharedLayerSourcesField,)

    sources: SharedLayerSourcesField


@rule(desc="Package a shared layer", level=LogLevel.DEBUG)
async def package_shared_layer(field_set: SharedLayerFieldSet) -> BuiltPackage:
    address = field_set.address
    shared = await shared_layer(SharedLayerRequest(address), **implicitly())
    name = shared.layer.name
    metadata = await digest_subset_to_digest(
        DigestSubset(shared.layer.digest, PathGlobs([f"{name}/layers.json"]))
    )
    folder = address.spec_path.replace("/", ".") or "."
    digest = await add_prefix(AddPrefix(metadata, folder))
    return BuiltPackage(digest, (BuiltPackageArtifact(f"{folder}/{name}/layers.json"),))


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateSourcesRequest, GenerateSharedLayer),
        UnionRule(PackageFieldSet, SharedLayerFieldSet),
    ]
