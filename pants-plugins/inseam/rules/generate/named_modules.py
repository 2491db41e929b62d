"""Rules that infer dependencies from strings that frameworks read as names of modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pants.backend.python.dependency_inference.module_mapper import (
    FirstPartyPythonModuleMapping,
    ModuleProvider,
    ModuleProviderType,
)
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PexBinary, PythonResolveField, PythonSourceField
from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.engine.target import (
    FieldSet,
    HydrateSourcesRequest,
    InferDependenciesRequest,
    InferredDependencies,
)
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import get_digest_contents, hydrate_sources, implicitly, rule
from inseam.formats.python.named_modules import Named, loaded_modules
from inseam.plan.named_modules import modules_named
from inseam.targets.named_modules import NamedModulesField


@dataclass(frozen=True)
class NamedModulesRequest:
    """The sources of a target."""

    sources: PythonSourceField


@dataclass(frozen=True)
class NamedModules:
    """The strings in sources that frameworks read as names of modules."""

    named: tuple[Named, ...]


# Separate from the rule that looks for modules, so that a new file does not cause all sources to be
# read again.
@rule(desc="Find modules that strings name", level=LogLevel.DEBUG)
async def named_modules(request: NamedModulesRequest) -> NamedModules:
    hydrated = await hydrate_sources(HydrateSourcesRequest(request.sources), **implicitly())
    files = await get_digest_contents(hydrated.snapshot.digest)
    return NamedModules(tuple(one for file in files for one in loaded_modules(file.content)))


@dataclass(frozen=True)
class NamedOwnersRequest:
    """A request for the targets that own the modules that strings name, in one resolve."""

    named: tuple[Named, ...]
    resolve: str


@dataclass(frozen=True)
class NamedOwners:
    """The addresses of the targets, sorted."""

    addresses: tuple[Address, ...]


@rule(desc="Find the owners of modules that strings name", level=LogLevel.DEBUG)
async def named_owners(
    request: NamedOwnersRequest, mapping: FirstPartyPythonModuleMapping
) -> NamedOwners:
    known: Mapping[str, tuple[ModuleProvider, ...]] = (
        mapping.resolves_to_modules_to_providers.get(request.resolve) or {}
    )
    found: set[Address] = set()
    for module in modules_named(request.named, known):
        owners = [one.addr for one in known[module] if one.typ is ModuleProviderType.IMPL]
        # If there are several, only the user can choose.
        found.update(owners if len(owners) == 1 else ())
    return NamedOwners(tuple(sorted(found)))


async def _owners(
    named: tuple[Named, ...], resolve: PythonResolveField, python_setup: PythonSetup
) -> tuple[Address, ...]:
    """As `named_owners`. Most targets name nothing, and then do not depend on all modules."""
    if not named:
        return ()
    request = NamedOwnersRequest(named, resolve.normalized_value(python_setup))
    owners = await named_owners(request, **implicitly())
    return owners.addresses


@dataclass(frozen=True)
class SourceFieldSet(FieldSet):
    required_fields = (PythonSourceField, PythonResolveField)

    source: PythonSourceField
    resolve: PythonResolveField


class InferNamedModules(InferDependenciesRequest[SourceFieldSet]):
    infer_from = SourceFieldSet


@rule
async def infer_named_modules(
    request: InferNamedModules, python_setup: PythonSetup
) -> InferredDependencies:
    fields = request.field_set
    found = await named_modules(NamedModulesRequest(fields.source), **implicitly())
    owners = await _owners(found.named, fields.resolve, python_setup)
    return InferredDependencies([one for one in owners if one != fields.address])


@dataclass(frozen=True)
class EnvironmentFieldSet(FieldSet):
    required_fields = (NamedModulesField, PythonResolveField)

    modules: NamedModulesField
    resolve: PythonResolveField


class InferModulesOfEnvironment(InferDependenciesRequest[EnvironmentFieldSet]):
    infer_from = EnvironmentFieldSet


@rule
async def infer_modules_of_environment(
    request: InferModulesOfEnvironment, python_setup: PythonSetup
) -> InferredDependencies:
    fields = request.field_set
    named = tuple(Named(0, module) for module in fields.modules.value)
    return InferredDependencies(await _owners(named, fields.resolve, python_setup))


def rules() -> list[Any]:
    return [
        *collect_rules(),
        PexBinary.register_plugin_field(NamedModulesField),
        UnionRule(InferDependenciesRequest, InferNamedModules),
        UnionRule(InferDependenciesRequest, InferModulesOfEnvironment),
    ]
