"""Rules that make a program that is a package depend on its `__main__`, which nothing imports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.python.dependency_inference.module_mapper import PythonModuleOwnersRequest
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    PexEntryPointField,
    PythonResolveField,
    ResolvePexEntryPointRequest,
)
from pants.engine.rules import collect_rules
from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies, Target
from pants.engine.unions import UnionRule

from inseam.compat import implicitly, map_module_to_address, resolve_pex_entry_point, rule


@dataclass(frozen=True)
class MainModuleDependencies(FieldSet):
    required_fields = (PexEntryPointField, PythonResolveField)

    entry_point: PexEntryPointField
    resolve: PythonResolveField

    @classmethod
    def opt_out(cls, target: Target) -> bool:
        """What BUILD files declare depends on what Pants says it does."""
        return not target.address.is_generated_target


class InferMainModuleDependencies(InferDependenciesRequest[MainModuleDependencies]):
    infer_from = MainModuleDependencies


@rule
async def infer_main_module_dependencies(
    request: InferMainModuleDependencies, python_setup: PythonSetup
) -> InferredDependencies:
    """The `__main__` of an entry point that is a package, which nothing imports."""
    entry_point = await resolve_pex_entry_point(
        ResolvePexEntryPointRequest(request.field_set.entry_point), **implicitly()
    )
    if entry_point.val is None or entry_point.val.function:
        return InferredDependencies([])
    owners = await map_module_to_address(
        PythonModuleOwnersRequest(
            f"{entry_point.val.module}.__main__",
            resolve=request.field_set.resolve.normalized_value(python_setup),
        ),
        **implicitly(),
    )
    return InferredDependencies(owners.unambiguous)


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferMainModuleDependencies),
    ]
