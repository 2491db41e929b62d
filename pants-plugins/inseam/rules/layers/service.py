"""Rules that find what a service is made of, and make the layers below its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    InterpreterConstraintsField,
    PexEntryPointField,
    PythonRequirementsField,
    PythonResolveField,
    ResolvePexEntryPointRequest,
)
from pants.core.target_types import LockfileSourceField, TargetGeneratorSourcesHelperSourcesField
from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.engine.target import SourcesField, Target, TransitiveTargetsRequest, WrappedTargetRequest
from pants.util.logging import LogLevel
from pants.util.ordered_set import FrozenOrderedSet

from inseam.compat import (
    concurrently,
    get_digest_contents,
    implicitly,
    interpreter_constraints,
    resolve_pex_entry_point,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
    transitive_targets,
)
from inseam.formats.failure import Failure, failing_in
from inseam.formats.python.entry_point import EntryPoint
from inseam.formats.python.installed import NAMES, first_name, load_names
from inseam.formats.python.shared_path import Preference
from inseam.plan.agreement import check_constraints
from inseam.rules.base.base import Base, BaseRequest, find_base
from inseam.rules.generate.base import service_of
from inseam.rules.layers.distributions import (
    DistributionRequest,
    distribution,
    is_distribution,
)
from inseam.rules.layers.first_party import (
    CodeSources,
    code_sources,
    data_layer,
    first_party,
)
from inseam.rules.layers.layer import StoredLayer, only_file
from inseam.rules.layers.shared_paths import preferences
from inseam.rules.layers.wheels import ServiceWheelsRequest, Unneeded, service_wheels
from inseam.rules.wheels.wheels import requirement_strings
from inseam.subsystem import InseamSubsystem
from inseam.targets.container import InitField
from inseam.targets.layer import (
    ConsoleScript,
    LayersBaseField,
    LayersConsoleScriptsField,
    LayersScriptsField,
    LayersServiceField,
    LayersSharedField,
    LayersWritableDirsField,
    PreferField,
)


@dataclass(frozen=True)
class ServiceRequest:
    """Asks for a service by its `#layers` target."""

    address: Address
    """Address of the `#layers` target."""
    platform: str = ""
    """A platform such as "linux/arm64"; "" for the one that the base declares."""


@dataclass(frozen=True)
class ServiceParts:
    """What a service is made of."""

    base: Base
    entry_points: tuple[EntryPoint, ...]
    """The entry points of its programs and their probes, the service's first."""
    scripts: tuple[str, ...]
    """Names of the console scripts that distributions must have."""
    writable_dirs: tuple[str, ...]
    """Each as "<uid>:<path>"."""
    targets: FrozenOrderedSet[Target]
    """All targets that the entry points need."""
    requirements: tuple[str, ...]
    """Requirement strings, sorted."""
    resolve: str
    """The resolve of the requirements."""
    shared: tuple[Address, ...]
    """Its `venv_layer`s."""
    distributions: tuple[Address, ...]
    """Its `python_distribution`s, sorted."""
    first_party: tuple[Address, ...]
    """Addresses of the targets whose files the image contains, sorted."""
    prefer: tuple[Preference, ...] = ()
    """The distribution whose file is used, where two install one at the same path."""


# The sources of these targets are read by Pants, such as a lock; no image contains them.
_NOT_IN_IMAGES = (
    LockfileSourceField,
    PythonRequirementsField,
    TargetGeneratorSourcesHelperSourcesField,
)


def _is_first_party(target: Target) -> bool:
    """Whether images contain files of a target of this repository."""
    return target.has_field(SourcesField) and not any(map(target.has_field, _NOT_IN_IMAGES))


def _entry_point(script: ConsoleScript, started: Mapping[str, Any]) -> EntryPoint:
    """What a console script runs. started: the entry points that Pants resolved, by address."""
    if script.probed_path:
        return EntryPoint(script.name, script.probed_path, check=script.check)
    found = started[script.code]
    return EntryPoint(
        script.name, found.module, found.function or "", script.server, script.is_factory
    )


async def _service_base(target: Target, platform: str) -> Base:
    base = await find_base(
        BaseRequest((target[LayersBaseField].value or ("",))[0], target.address, platform),
        **implicitly(),
    )
    if target[InitField].value and base.has_init is False:
        raise Failure(
            f"{service_of(target.address)}: `init=True` needs tini, which the base {base.address}"
            " does not have. Add `init` to the `groups` of the base."
        )
    return base


async def _entry_points(
    scripts: Iterable[ConsoleScript], roots: Iterable[Target]
) -> tuple[EntryPoint, ...]:
    """What console scripts run. roots: the targets of those that have code."""
    scripts = tuple(scripts)
    code = {one.address.spec: one for one in roots}
    addresses = sorted({script.code for script in scripts if script.code})
    resolved = await concurrently(
        resolve_pex_entry_point(
            ResolvePexEntryPointRequest(code[address][PexEntryPointField]), **implicitly()
        )
        for address in addresses
    )
    started = {address: found.val for address, found in zip(addresses, resolved)}
    return tuple(_entry_point(script, started) for script in scripts)


def _check_python(
    service: Address, base: Base, targets: Iterable[Target], python_setup: PythonSetup
) -> None:
    """Raises Failure if a target's interpreter constraints exclude the base's CPython."""
    with failing_in(service):
        check_constraints(
            {
                str(one.address): interpreter_constraints(one, python_setup)
                for one in targets
                if one.has_field(InterpreterConstraintsField)
            },
            str(base.address),
            base.platform.python_full_version,
        )


@rule(desc="Find what a service is made of", level=LogLevel.DEBUG)
async def service_parts(request: ServiceRequest, python_setup: PythonSetup) -> ServiceParts:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="the layers"), **implicitly()
    )
    target = wrapped.target
    base = await _service_base(target, request.platform)
    roots = await resolve_unparsed_address_inputs(
        target[LayersServiceField].to_unparsed_address_inputs(), **implicitly()
    )
    pex_targets = await transitive_targets(TransitiveTargetsRequest(roots), **implicitly())
    targets = pex_targets.closure
    _check_python(service_of(target.address), base, targets, python_setup)
    entry_points = await _entry_points(target[LayersConsoleScriptsField].value, pex_targets.roots)
    shared = await resolve_unparsed_address_inputs(
        target[LayersSharedField].to_unparsed_address_inputs(), **implicitly()
    )
    return ServiceParts(
        base=base,
        entry_points=entry_points,
        scripts=target[LayersScriptsField].value,
        writable_dirs=target[LayersWritableDirsField].value,
        targets=targets,
        requirements=requirement_strings(targets),
        resolve=pex_targets.roots[0][PythonResolveField].normalized_value(python_setup),
        shared=tuple(shared),
        distributions=tuple(sorted(one.address for one in targets if is_distribution(one))),
        first_party=tuple(sorted(one.address for one in targets if _is_first_party(one))),
        prefer=preferences(target[PreferField].value),
    )


@dataclass(frozen=True)
class DependencyLayers:
    """The layers below a service's code, and the inputs of its code layers."""

    layers: tuple[StoredLayer, ...]
    """Lowest first."""
    wheel_layers: tuple[StoredLayer, ...]
    """Those of `layers` that contain wheels."""
    base: Base
    entry_points: tuple[EntryPoint, ...]
    """The service's, its health check's, then the console scripts of its distributions."""
    code: tuple[CodeSources, ...]
    """First-party files that are not in the layer `data`, and metadata of distributions."""
    outside: tuple[EntryPoint, ...]
    """Those of `entry_points` whose modules are not in `code`."""
    names: frozenset[str]
    """Top-level names by which `import` finds the code, or looks for it."""
    unneeded: tuple[Unneeded, ...]
    """Wheels of shared layers that the service does not need."""
    paths: frozenset[str]
    """Paths of the code, as it is imported."""
    first_party: tuple[Address, ...]
    """Addresses of the targets that own the first-party files, sorted."""
    missing_modules: tuple[str, ...]
    """Standard modules that are in neither the base nor the wheels."""
    prefer: tuple[Preference, ...] = ()
    """As in ServiceParts."""


async def layers_with_names(
    layers: Iterable[StoredLayer], names: frozenset[str]
) -> tuple[StoredLayer, ...]:
    """The layers of wheels that contain one of the top-level names that the code has or looks for.

    Most services have no such layer. The inputs of their code then do not include any wheels, so
    that a new version of a wheel does not recompile the code.
    """
    layers = list(layers)
    found = await concurrently(only_file(layer, NAMES) for layer in layers)
    texts = await concurrently(get_digest_contents(digest) for digest in found)
    return tuple(
        layer
        for layer, files in zip(layers, texts)
        if any(names & load_names(file.content) for file in files)
    )


async def _check_installed(
    service: Address,
    parts: ServiceParts,
    layers: Iterable[StoredLayer],
    entry_points: Iterable[EntryPoint],
) -> None:
    """Raises Failure if a server, or a console script that the service starts, is not installed."""
    layers = list(layers)
    wheels = {wheel.name for layer in layers for wheel in layer.layer.wheels}
    for one in parts.entry_points:
        if one.server and one.server not in wheels:
            raise Failure(
                f"{service}: `server={one.server!r}` needs the distribution {one.server}, which is"
                f" not among its requirements. Add {one.server} to the requirements of the resolve"
                f" {parts.resolve!r}, and run: ./pants generate-lockfiles"
                f" --resolve={parts.resolve}"
            )
    ours = {one.name for one in entry_points}
    for name in parts.scripts:
        path = EntryPoint(name, "").console_script
        if name not in ours and not await layers_with_names(layers, frozenset([path])):
            raise Failure(
                f"{service}: `script={name!r}` is not a console script of any distribution among"
                " its dependencies. Add the distribution that has it to `dependencies`."
            )


def _check_scripts(service: Address, entry_points: Iterable[EntryPoint]) -> None:
    """Raises Failure if two console scripts have the same name."""
    known: dict[str, EntryPoint] = {}
    for one in entry_points:
        other = known.setdefault(one.name, one)
        if other != one:
            raise Failure(
                f"{service}: /{one.console_script} would start both {other.reference} and"
                f" {one.reference}. Rename one of these console scripts."
            )


@rule(desc="Make the layers below a service's code", level=LogLevel.DEBUG)
async def dependency_layers(request: ServiceRequest, inseam: InseamSubsystem) -> DependencyLayers:
    service = service_of(request.address)
    parts = await service_parts(request, **implicitly())
    wheels = await service_wheels(
        ServiceWheelsRequest(
            service=service,
            requirements=parts.requirements,
            resolve=parts.resolve,
            base=parts.base,
            shared=parts.shared,
            platform=request.platform,
            prefer=parts.prefer,
        ),
        **implicitly(),
    )
    distributions = await concurrently(
        distribution(DistributionRequest(address), **implicitly())
        for address in parts.distributions
    )
    layers = wheels.layers
    with failing_in(service):
        sources = await first_party(parts.targets, inseam.large_wheel)
        if sources.data is not None:
            layers = (*layers, await data_layer(sources.data, parts.base))
    paths = frozenset(entry.path for entry in sources.code)
    entry_points = (*parts.entry_points, *(name for one in distributions for name in one.scripts))
    _check_scripts(service, entry_points)
    await _check_installed(service, parts, wheels.layers, entry_points)
    own_names = frozenset(first_name(path) for path in paths)
    code = await code_sources(
        sources.code,
        parts.entry_points,
        distributions,
        missing=tuple(name for name in wheels.missing_modules if name not in own_names),
        writable_dirs=parts.writable_dirs,
    )
    return DependencyLayers(
        layers=layers,
        wheel_layers=wheels.layers,
        base=parts.base,
        entry_points=entry_points,
        code=code,
        outside=_outside(entry_points, paths),
        names=own_names.union(_names(entry_points)),
        unneeded=wheels.unneeded,
        paths=paths,
        first_party=parts.first_party,
        missing_modules=wheels.missing_modules,
        prefer=parts.prefer,
    )


def _outside(entry_points: Iterable[EntryPoint], paths: frozenset[str]) -> tuple[EntryPoint, ...]:
    """The entry points whose modules are at none of the paths."""
    return tuple(one for one in entry_points if one.files and not paths.intersection(one.files))


def _names(entry_points: Iterable[EntryPoint]) -> Iterator[str]:
    """The top-level names that entry points start, or import."""
    for one in entry_points:
        yield one.console_script
        if not one.is_probe:
            yield first_name(one.module)


def rules() -> list[Any]:
    return [*collect_rules()]
