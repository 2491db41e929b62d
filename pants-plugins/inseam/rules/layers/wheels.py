"""Rules that merge wheels into layers: shared ones, one for each large wheel, and the rest.

They belong together: each kind of layer leaves out the wheels that the previous kinds contain.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementsField, PythonResolveField
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import MergeDigests
from pants.engine.rules import collect_rules
from pants.engine.target import Target, TransitiveTargetsRequest, WrappedTargetRequest
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import (
    concurrently,
    implicitly,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
    transitive_targets,
)
from inseam.formats.failure import Failure, failing_in
from inseam.formats.names import file_name
from inseam.formats.oci.layer import DEPS_LAYER
from inseam.formats.python.shared_path import Preference
from inseam.plan.artifacts import LockedWheel
from inseam.plan.layering import check_names, check_shared, split
from inseam.plan.shared_paths import describe_clashes
from inseam.rules.base.base import Base, BasePython, BaseRequest, find_base
from inseam.rules.base.process import run_on
from inseam.rules.layers.layer import StoredLayer, layer_folder, stored_layer
from inseam.rules.layers.shared_paths import (
    SharedPathsRequest,
    arguments,
    preferences,
    shared_paths,
)
from inseam.rules.layers.standard import missing_modules
from inseam.rules.programs.host import Program
from inseam.rules.wheels.closures import ClosureRequest, closure_of
from inseam.rules.wheels.wheels import (
    FetchRequest,
    InstallRequest,
    fetched_wheel,
    installed_wheel,
    requirement_strings,
)
from inseam.subsystem import InseamSubsystem
from inseam.targets.layer import (
    LayerBaseField,
    LayerClosureField,
    LayerRequirementsField,
    PreferField,
    is_address,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WheelLayerRequest:
    """Asks for a layer of wheels for a base."""

    name: str
    wheels: tuple[LockedWheel, ...]
    resolve: str
    """The resolve whose lock has the wheels."""
    base: Base
    venv: bool
    """Whether the layer also has the files that make the directory a venv."""
    prefer: tuple[Preference, ...] = ()
    """The distribution whose file is used, where two install one at the same path."""
    elsewhere: tuple[LockedWheel, ...] = ()
    """Those of other layers of the image that `prefer` names."""


@rule(desc="Merge wheels into a layer", level=LogLevel.DEBUG)
async def wheel_layer(request: WheelLayerRequest) -> StoredLayer:
    base, name = request.base, request.name
    wheels = (*request.wheels, *request.elsewhere)
    trees = await concurrently(
        installed_wheel(
            InstallRequest(FetchRequest(wheel, request.resolve), base.python), **implicitly()
        )
        for wheel in wheels
    )
    venv = (f"--venv-interpreter={base.interpreter}", f"--venv-version={base.python_version}")
    merged = await run_on(
        base.python,
        Program(
            argv=(
                "merge",
                f"--name={name}",
                f"--out=out/{layer_folder(name)}",
                f"--machine={base.platform.machine}",
                *(venv if request.venv else ()),
                *arguments(request.prefer),
                *(f"--elsewhere={wheel.filename}" for wheel in request.elsewhere),
                *(wheel.filename for wheel in request.wheels),
            ),
            input=await merge_digests(MergeDigests(tree.digest for tree in trees)),
            output="out",
            description=f"Merge {len(request.wheels)} wheels into the layer {name}",
        ),
    )
    layer = await stored_layer(name, merged.digest)
    members = trees[: len(request.wheels)]
    return replace(layer, members=tuple(sorted(members, key=lambda tree: tree.wheel.name)))


@dataclass(frozen=True)
class SharedLayerRequest:
    """Asks for the layer of a `venv_layer`."""

    address: Address
    platform: str = ""
    """A platform such as "linux/arm64"; "" for the one that the base declares."""


@dataclass(frozen=True)
class SharedLayer:
    """The content of a `venv_layer`, and the base that it was made for."""

    address: Address
    """Address of the `venv_layer`."""
    wheels: tuple[LockedWheel, ...]
    base: Base
    layer: StoredLayer
    resolve: str
    """Whose lock has the wheels."""
    required_by: FrozenDict[str, tuple[str, ...]]
    """What requires each wheel, by name."""


async def _listed_requirements(target: Target, specs: Iterable[str]) -> tuple[str, ...]:
    """The requirements of the `python_requirement` targets that a `venv_layer` lists."""
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            specs,
            owning_address=target.address,
            description_of_origin=f"the `requirements` of {target.address}",
        ),
        **implicitly(),
    )
    found = await transitive_targets(TransitiveTargetsRequest(addresses), **implicitly())
    for root in found.roots:
        if not root.has_field(PythonRequirementsField):
            raise Failure(
                f"{target.address}: `requirements` has {root.address}, a `{root.alias}`. Name"
                " `python_requirement` targets, such as 3rdparty/python#numpy, or globs of names of"
                " distributions."
            )
    return requirement_strings(found.roots)


async def check_paths(
    layers: Iterable[StoredLayer],
    python: BasePython,
    prefer: tuple[Preference, ...],
    required_by: Mapping[str, tuple[str, ...]],
    origin: tuple[Address, str],
) -> None:
    """Raises Failure if two wheels of these layers have different files at one path, unless no
    import finds out, or `prefer` says which of them is wanted.

    required_by: what requires each wheel, by name. origin: the target with `prefer`, and the
    resolve of the wheels.
    """
    found = await shared_paths(SharedPathsRequest(tuple(layers), python, prefer), **implicitly())
    text = describe_clashes(found.paths, required_by, str(origin[0]), origin[1])
    if text:
        raise Failure(text)


@rule(desc="Make a shared layer", level=LogLevel.DEBUG)
async def shared_layer(
    request: SharedLayerRequest, python_setup: PythonSetup, inseam: InseamSubsystem
) -> SharedLayer:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a layer"), **implicitly()
    )
    target = wrapped.target
    if not target.has_field(LayerRequirementsField):
        raise Failure(
            f"{target.address} is listed as a layer, but is a `{target.alias}`. Name a"
            " `venv_layer`."
        )
    base = await find_base(
        BaseRequest(
            target[LayerBaseField].value or inseam.base or "", target.address, request.platform
        ),
        **implicitly(),
    )
    members = target[LayerRequirementsField].value
    specs = [member for member in members if is_address(member)]
    requirements = await _listed_requirements(target, specs)
    file_name(target.address.target_name, f"the name of the layer {target.address}")
    resolve = target[PythonResolveField].normalized_value(python_setup)
    named = (f"!{canonicalize_name(Requirement(text).name)}" for text in requirements)
    with failing_in(target.address):
        locked = await closure_of(
            ClosureRequest(
                requirements,
                resolve,
                base.python,
                globs=tuple(member for member in members if member not in specs),
                transitive=target[LayerClosureField].value,
                leave_out=(*inseam.leave_out, *named),
            ),
            **implicitly(),
        )
        prefer = preferences(target[PreferField].value)
        layer = await wheel_layer(
            WheelLayerRequest(
                target.address.target_name, locked.wheels, resolve, base, venv=False, prefer=prefer
            ),
            **implicitly(),
        )
        required_by = _required_by(locked.required_by, target.address)
        origin = target.address, resolve
        await check_paths([layer], base.python, prefer, required_by, origin)
    return SharedLayer(target.address, locked.wheels, base, layer, resolve, required_by)


def _required_by(
    chains: Mapping[str, tuple[str, ...]], address: Address
) -> FrozenDict[str, tuple[str, ...]]:
    """The chains, which start at a target."""
    return FrozenDict({name: (str(address), *chain[1:]) for name, chain in chains.items()})


@dataclass(frozen=True)
class ServiceWheelsRequest:
    """Asks for the layers of the wheels that a service requires."""

    service: Address
    requirements: tuple[str, ...]
    resolve: str
    """The resolve whose lock has the wheels."""
    base: Base
    shared: tuple[Address, ...]
    """The `venv_layer`s that come first."""
    platform: str
    """A platform such as "linux/arm64"; "" for the one that the base declares."""
    prefer: tuple[Preference, ...] = ()
    """The distribution whose file is used, where two install one at the same path."""


@dataclass(frozen=True)
class Unneeded:
    """A wheel of a shared layer that a service does not need."""

    distribution: str
    size: int
    """Size in bytes."""
    layer: Address


@dataclass(frozen=True)
class ServiceWheels:
    """The layers of a service's wheels."""

    layers: tuple[StoredLayer, ...]
    """Lowest first, including the shared ones."""
    unneeded: tuple[Unneeded, ...]
    missing_modules: tuple[str, ...]
    """Standard modules that are in neither the base nor the wheels."""


def check_base(shared: Iterable[SharedLayer], base: Base) -> None:
    """Raises Failure for a shared layer that was made for another Python or platform than the
    base's."""
    for layer in shared:
        if layer.base.platform != base.platform:
            raise Failure(
                f"the layer {layer.address} was built for {layer.base.platform}, but the base"
                f" {base.address} is {base.platform}. Use the same `base` for both."
            )


async def _own_layers(
    wheels: tuple[LockedWheel, ...],
    shared: tuple[SharedLayer, ...],
    request: ServiceWheelsRequest,
    inseam: InseamSubsystem,
) -> tuple[StoredLayer, ...]:
    """The layers of the wheels that are not in a shared layer."""
    fetched = await concurrently(
        fetched_wheel(FetchRequest(wheel, request.resolve), **implicitly()) for wheel in wheels
    )
    by_distribution = {wheel.name: wheel for wheel in wheels}
    plans = split(
        {wheel.name: file.size for wheel, file in zip(wheels, fetched)},
        large=inseam.large_wheel,
        max_layers=inseam.max_layers,
        shared=len(shared),
    )
    winners = {one.winner for one in request.prefer}
    preferred = [
        wheel
        for wheel in (*wheels, *(one for layer in shared for one in layer.wheels))
        if wheel.name in winners
    ]
    layers: tuple[StoredLayer, ...] = await concurrently(
        wheel_layer(
            WheelLayerRequest(
                plan.name,
                tuple(by_distribution[name] for name in plan.distributions),
                request.resolve,
                request.base,
                venv=plan.name == DEPS_LAYER,
                prefer=request.prefer,
                elsewhere=tuple(one for one in preferred if one.name not in plan.distributions),
            ),
            **implicitly(),
        )
        for plan in plans
    )
    return layers


def _tell(service: Address, left_out: tuple[str, ...]) -> None:
    if left_out:
        logger.info(
            f"{service}: its images do not contain {', '.join(left_out)}: type stubs, and what only"
            f" they require. To keep one, add '!{left_out[0]}' to [inseam].leave_out."
        )


# Separate from the rule for a service's code, so that editing the code does not even check whether
# this result is still valid.
@rule(desc="Make the layers of a service's wheels", level=LogLevel.DEBUG)
async def service_wheels(request: ServiceWheelsRequest, inseam: InseamSubsystem) -> ServiceWheels:
    service, base, resolve = request.service, request.base, request.resolve
    with failing_in(service):
        locked = await closure_of(
            ClosureRequest(
                request.requirements, resolve, base.python, leave_out=tuple(inseam.leave_out)
            ),
            **implicitly(),
        )
        _tell(service, locked.left_out)
        shared = await concurrently(
            shared_layer(SharedLayerRequest(address, request.platform), **implicitly())
            for address in request.shared
        )
        check_base(shared, base)
        check_shared(locked.wheels, {str(layer.address): layer.wheels for layer in shared})
        held = {wheel.name for layer in shared for wheel in layer.wheels}
        rest = tuple(wheel for wheel in locked.wheels if wheel.name not in held)
        own = await _own_layers(rest, tuple(shared), request, inseam)
        layers = (*(layer.layer for layer in shared), *own)
        check_names([layer.name for layer in layers])
        required_by = {name: by for layer in shared for name, by in layer.required_by.items()}
        required_by.update(locked.required_by)
        await check_paths(layers, base.python, request.prefer, required_by, (service, resolve))
    missing = await missing_modules(base, layers)
    needed = {wheel.name for wheel in locked.wheels}
    extra = [
        (layer, wheel) for layer in shared for wheel in layer.wheels if wheel.name not in needed
    ]
    extra_files = await concurrently(
        fetched_wheel(FetchRequest(wheel, resolve), **implicitly()) for _, wheel in extra
    )
    return ServiceWheels(
        layers,
        tuple(
            Unneeded(f"{wheel.name} {wheel.version}", file.size, layer.address)
            for (layer, wheel), file in zip(extra, extra_files)
        ),
        missing,
    )


def rules() -> list[Any]:
    return [*collect_rules()]
