"""Rules that tell Pants what images are made of, for `--changed-since`, `dependents` and `paths`.

These dependencies must not become part of Docker's build contexts. They are therefore special-cased
dependencies, or dependencies of targets that can only be reached through one.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any, Iterable

from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementsField, PythonResolveField
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import PathGlobs
from pants.engine.internals.synthetic_targets import SyntheticAddressMaps, SyntheticTargetsRequest
from pants.engine.internals.target_adaptor import TargetAdaptor
from pants.engine.rules import collect_rules
from pants.engine.target import (
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
    Target,
    TransitiveTargetsRequest,
)
from pants.engine.unions import UnionMembership, UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    concurrently,
    digest_to_snapshot,
    implicitly,
    path_globs_to_digest,
    resolve_unparsed_address_inputs,
    rule,
    transitive_targets,
)
from inseam.formats.debian.lock import lock_name
from inseam.formats.failure import Failure
from inseam.plan.lock import reachable
from inseam.plan.python_lock import Distribution
from inseam.rules.wheels.building import BuildInputsRequest, build_inputs
from inseam.rules.wheels.wheels import LockRequest, lock_of, requirement_strings
from inseam.subsystem import InseamSubsystem
from inseam.targets.base import (
    DebianLockField,
    DebianLockTarget,
    PythonLockTarget,
    RootfsSourcesField,
)
from inseam.targets.container import ServiceBaseField
from inseam.targets.image import OciLayersField
from inseam.targets.layer import (
    LayerBaseField,
    LayerRequirementsField,
    LayersServiceField,
    is_address,
)


async def _debian_locks(inseam: InseamSubsystem) -> dict[str, Address]:
    """The targets of the locks of Debian packages, by path."""
    own = [inseam.default_base_lock] if inseam.default_base_lock else []
    found = await path_globs_to_digest(PathGlobs([*inseam.debian_locks, *own]))
    snapshot = await digest_to_snapshot(found)
    return {
        path: Address(posixpath.dirname(path), target_name=f"_{lock_name(path)}_lock")
        for path in snapshot.files
    }


def python_lock(
    resolve: str, python_setup: PythonSetup, inseam: InseamSubsystem
) -> tuple[Address, ...]:
    """The target of the lock that images of a resolve are made from. Pants generates one for each
    of its own locks, if that is enabled."""
    own = inseam.locks.get(resolve)
    if own:
        return (_own_lock(resolve, own),)
    path = python_setup.resolves.get(resolve)
    if not path or not python_setup.enable_synthetic_lockfiles:
        return ()
    return (Address(posixpath.dirname(path), target_name=f"_{resolve}_lockfile"),)


def _own_lock(resolve: str, path: str) -> Address:
    return Address(posixpath.dirname(path), target_name=f"_{resolve}_image_lock")


@dataclass(frozen=True)
class DebianLocksRequest(SyntheticTargetsRequest):
    """Asks for the targets of all locks: of Debian packages, and in [inseam].locks."""

    path: str = SyntheticTargetsRequest.SINGLE_REQUEST_FOR_ALL_TARGETS


@rule(desc="Find locks of Debian packages", level=LogLevel.DEBUG)
async def debian_lock_targets(
    request: DebianLocksRequest, inseam: InseamSubsystem
) -> SyntheticAddressMaps:
    # Every command that reads targets runs this rule, once for each set of options.
    inseam.check()
    locks = [
        (DebianLockTarget.alias, path, address, "debian_locks")
        for path, address in (await _debian_locks(inseam)).items()
    ]
    locks += [
        (PythonLockTarget.alias, path, _own_lock(resolve, path), "locks")
        for resolve, path in sorted(inseam.locks.items())
    ]
    folders: dict[str, list[TargetAdaptor]] = {}
    for alias, path, address, option in locks:
        folders.setdefault(address.spec_path, []).append(
            TargetAdaptor(
                alias,
                name=address.target_name,
                sources=[posixpath.basename(path)],
                __description_of_origin__=f"the option [inseam].{option}",
            )
        )
    return SyntheticAddressMaps.for_targets_request(
        request,
        [
            (posixpath.join(folder, "BUILD.inseam-locks"), tuple(targets))
            for folder, targets in sorted(folders.items())
        ],
    )


@dataclass(frozen=True)
class RootfsDependencies(FieldSet):
    required_fields = (RootfsSourcesField, DebianLockField)

    lock: DebianLockField


class InferRootfsDependencies(InferDependenciesRequest[RootfsDependencies]):
    infer_from = RootfsDependencies


@rule
async def infer_rootfs_dependencies(
    request: InferRootfsDependencies, inseam: InseamSubsystem
) -> InferredDependencies:
    locks = await _debian_locks(inseam)
    lock = locks.get(request.field_set.lock.value)
    return InferredDependencies([lock] if lock else [])


async def named(field: str, names: Iterable[str | None], owner: Address) -> tuple[Address, ...]:
    """The targets that a field names; names that are None or "" are skipped."""
    found: tuple[Address, ...] = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [name for name in names if name],
            owning_address=owner,
            description_of_origin=f"the `{field}` of {owner}",
        ),
        **implicitly(),
    )
    return found


@dataclass(frozen=True)
class OciImageDependencies(FieldSet):
    required_fields = (OciLayersField, ServiceBaseField)

    base: ServiceBaseField


class InferOciImageDependencies(InferDependenciesRequest[OciImageDependencies]):
    infer_from = OciImageDependencies


@rule
async def infer_oci_image_dependencies(
    request: InferOciImageDependencies, inseam: InseamSubsystem
) -> InferredDependencies:
    field_set = request.field_set
    base = field_set.base.value or inseam.base
    return InferredDependencies(await named("base", [base], field_set.address))


def _is_built(item: Distribution) -> bool:
    """Whether a distribution has no wheel for any platform."""
    return not any(artifact.url.partition("#")[0].endswith(".whl") for artifact in item.artifacts)


async def _built_from(
    lock: LockRequest | None,
    requirements: Iterable[Target],
    globs: tuple[str, ...],
    builders: Iterable[type[BuildInputsRequest]],
) -> tuple[Address, ...]:
    """The targets that affect how wheels are built that the requirements may need on any
    platform. lock: the one with the wheels; None in a repository without resolves."""
    builders = tuple(builders)
    if not builders:
        return ()
    names: tuple[str, ...] | None = None
    any_built = True
    try:
        if lock is not None:
            locked = (await lock_of(lock, **implicitly())).content
            needed = reachable(locked, requirement_strings(requirements), globs)
            names = tuple(sorted({canonicalize_name(item.name) for item in needed}))
            any_built = any(_is_built(item) for item in needed)
    except Failure:
        pass  # Errors in the lock are reported when something is built from it.
    requests = [builder(names, any_built) for builder in builders]
    found = await concurrently(
        build_inputs(**implicitly({request: BuildInputsRequest})) for request in requests
    )
    return tuple(address for one in found for address in one.addresses)


@dataclass(frozen=True)
class SharedLayerDependencies(FieldSet):
    required_fields = (LayerRequirementsField, LayerBaseField, PythonResolveField)

    requirements: LayerRequirementsField
    base: LayerBaseField
    resolve: PythonResolveField


class InferSharedLayerDependencies(InferDependenciesRequest[SharedLayerDependencies]):
    infer_from = SharedLayerDependencies


@rule
async def infer_shared_layer_dependencies(
    request: InferSharedLayerDependencies,
    inseam: InseamSubsystem,
    python_setup: PythonSetup,
    membership: UnionMembership,
) -> InferredDependencies:
    field_set = request.field_set
    members = [member for member in field_set.requirements.value if is_address(member)]
    requirements = await named("requirements", members, field_set.address)
    base = await named("base", [field_set.base.value or inseam.base], field_set.address)
    resolve = field_set.resolve.normalized_value(python_setup)
    found = await transitive_targets(TransitiveTargetsRequest(requirements), **implicitly())
    globs = tuple(member for member in field_set.requirements.value if not is_address(member))
    builders = inseam.enabled(membership[BuildInputsRequest])
    read = LockRequest(resolve) if python_setup.enable_resolves else None
    sources = await _built_from(read, found.roots, globs, builders)
    lock = python_lock(resolve, python_setup, inseam)
    return InferredDependencies([*requirements, *base, *lock, *sources])


@dataclass(frozen=True)
class ServiceLayersDependencies(FieldSet):
    required_fields = (LayersServiceField,)

    service: LayersServiceField


class InferServiceLayersDependencies(InferDependenciesRequest[ServiceLayersDependencies]):
    infer_from = ServiceLayersDependencies


@rule
async def infer_service_layers_dependencies(
    request: InferServiceLayersDependencies,
    python_setup: PythonSetup,
    inseam: InseamSubsystem,
    membership: UnionMembership,
) -> InferredDependencies:
    """The lock, if the service needs any of its wheels, and what affects how wheels are built."""
    roots = await resolve_unparsed_address_inputs(
        request.field_set.service.to_unparsed_address_inputs(), **implicitly()
    )
    found = await transitive_targets(TransitiveTargetsRequest(roots), **implicitly())
    requirements = [one for one in found.closure if one.has_field(PythonRequirementsField)]
    if not requirements:
        return InferredDependencies([])
    resolve = found.roots[0][PythonResolveField].normalized_value(python_setup)
    builders = inseam.enabled(membership[BuildInputsRequest])
    read = LockRequest(resolve) if python_setup.enable_resolves else None
    sources = await _built_from(read, requirements, (), builders)
    return InferredDependencies([*python_lock(resolve, python_setup, inseam), *sources])


def rules() -> list[Any]:
    return [
        *collect_rules(),
        *DebianLocksRequest.rules(),
        *(
            UnionRule(InferDependenciesRequest, request)
            for request in (
                InferRootfsDependencies,
                InferOciImageDependencies,
                InferSharedLayerDependencies,
                InferServiceLayersDependencies,
            )
        ),
    ]
