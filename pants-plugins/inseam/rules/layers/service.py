"""Rules that find what a service is made of, and make the layers below its code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    InterpreterConstraintsField,
    PexEntryPointField,
    PythonRequirementsField,
    PythonResolveField,
    ResolvePexEntryPointRequest,
)
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
)


@dataclass(frozen=True)
class ServiceRequest:
    """The service whose `#layers` target has this address.

    platform: another one than the base declares, as "linux/arm64"; "" for its own.
    """

    address: Address
    platform: str = ""


@dataclass(frozen=True)
class ServiceParts:
    """What a service is made of.

    entry_points: of its programs and their probes, that of the service first. scripts: those that
    distributions must have. writable_dirs: as "<uid>:<path>". targets: all that these need.
    requirements: of wheels, sorted. shared: the addresses of its `venv_layer`s. distributions:
    those of its `python_distribution`s.
    """

    base: Base
    entry_points: tuple[EntryPoint, ...]
    scripts: tuple[str, ...]
    writable_dirs: tuple[str, ...]
    targets: FrozenOrderedSet[Target]
    requirements: tuple[str, ...]
    resolve: str
    shared: tuple[Address, ...]
    distributions: tuple[Address, ...]
    first_party: tuple[Address, ...]
    """The targets that have source files, sorted."""


def _entry_point(script: ConsoleScript, started: Mapping[str, Any]) -> EntryPoint:
    """What a console script runs. started: what Pants found for targets, by address."""
    if script.probed_path:
        return EntryPoint(script.name, script.probed_path)
    found = started[script.code]
    return EntryPoint(script.name, found.module, found.function or "", script.server)


@rule(desc="Find what a service is made of", level=LogLevel.DEBUG)
async def service_parts(request: ServiceRequest, python_setup: PythonSetup) -> ServiceParts:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="the layers"), **implicitly()
    )
    target = wrapped.target
    base = await find_base(
        BaseRequest((target[LayersBaseField].value or ("",))[0], target.address, request.platform),
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
    with failing_in(service_of(target.address)):
        check_constraints(
            {
                str(one.address): interpreter_constraints(one, python_setup)
                for one in pex_targets.closure
                if one.has_field(InterpreterConstraintsField)
            },
            str(base.address),
            base.platform.python_full_version,
        )
    scripts = target[LayersConsoleScriptsField].value
    code = {one.address.spec: one for one in pex_targets.roots}
    addresses = sorted({script.code for script in scripts if script.code})
    resolved = await concurrently(
        resolve_pex_entry_point(
            ResolvePexEntryPointRequest(code[address][PexEntryPointField]), **implicitly()
        )
        for address in addresses
    )
    started = {address: found.val for address, found in zip(addresses, resolved)}
    shared = await resolve_unparsed_address_inputs(
        target[LayersSharedField].to_unparsed_address_inputs(), **implicitly()
    )
    return ServiceParts(
        base,
        tuple(_entry_point(script, started) for script in scripts),
        target[LayersScriptsField].value,
        target[LayersWritableDirsField].value,
        pex_targets.closure,
        requirement_strings(pex_targets.closure),
        pex_targets.roots[0][PythonResolveField].normalized_value(python_setup),
        tuple(shared),
        tuple(sorted(one.address for one in pex_targets.closure if is_distribution(one))),
        tuple(
            sorted(
                one.address
                for one in pex_targets.closure
                if one.has_field(SourcesField) and not one.has_field(PythonRequirementsField)
            )
        ),
    )


@dataclass(frozen=True)
class DependencyLayers:
    """What is below a service's code, lowest first, and what its last layers are made of.

    wheel_layers: those of `layers` that hold wheels. entry_points: of the service, then of its
    healthcheck, then those that distributions have as console scripts. code: the first-party files
    that are not in the layer `data`, and metadata of distributions. outside: those of the entry
    points whose modules are not among them. names: by which `import` finds the code, or looks for
    it. paths: of the code, as it is imported. first_party: the targets whose files these are.
    missing_modules: standard modules that neither the base nor the wheels have.
    """

    layers: tuple[StoredLayer, ...]
    wheel_layers: tuple[StoredLayer, ...]
    base: Base
    entry_points: tuple[EntryPoint, ...]
    code: tuple[CodeSources, ...]
    outside: tuple[EntryPoint, ...]
    names: frozenset[str]
    unneeded: tuple[Unneeded, ...]
    paths: frozenset[str]
    first_party: tuple[Address, ...]
    missing_modules: tuple[str, ...]


async def layers_with_names(
    layers: Iterable[StoredLayer], names: frozenset[str]
) -> tuple[StoredLayer, ...]:
    """The layers of wheels with one of the names that code has, too, or looks for.

    Most services have no such layer. What their code is made from then does not say which wheels
    are below, and it is compiled once, whatever versions the lock has.
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
    """Raises Failure if two console scripts have one name."""
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
            service,
            parts.requirements,
            parts.resolve,
            parts.base,
            parts.shared,
            request.platform,
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
    entry_points = (
        *parts.entry_points,
        *(script for one in distributions for script in one.scripts),
    )
    _check_scripts(service, entry_points)
    await _check_installed(service, parts, wheels.layers, entry_points)
    return DependencyLayers(
        layers,
        wheels.layers,
        parts.base,
        entry_points,
        await code_sources(
            sources.code,
            parts.entry_points,
            distributions,
            tuple(name for name in wheels.missing_modules if name not in map(first_name, paths)),
            parts.writable_dirs,
        ),
        tuple(one for one in entry_points if one.files and not paths.intersection(one.files)),
        frozenset(
            [
                *(first_name(path) for path in paths),
                *(first_name(one.module) for one in entry_points if not one.is_probe),
                *(one.console_script for one in entry_points),
            ]
        ),
        wheels.unneeded,
        paths,
        parts.first_party,
        wheels.missing_modules,
    )


def rules() -> list[Any]:
    return [*collect_rules()]
