"""Rules that tell Pants what affects how wheels are built, for `--changed-since`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.rules import collect_rules
from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from inseam.compat import implicitly, rule
from inseam.rules.generate.dependencies import named, python_lock
from inseam.rules.wheels.building import BuildInputs, BuildInputsRequest
from inseam.subsystem import InseamSubsystem
from inseam.wheels_from_source.build import DeclarationsRequest, declarations
from inseam.wheels_from_source.targets import BuilderField, BuildResolveField, DistributionField


@dataclass(frozen=True)
class WheelSourceDependencies(FieldSet):
    required_fields = (DistributionField, BuilderField, BuildResolveField)

    builder: BuilderField
    resolve: BuildResolveField


class InferWheelSourceDependencies(InferDependenciesRequest[WheelSourceDependencies]):
    infer_from = WheelSourceDependencies


@rule
async def infer_wheel_source_dependencies(
    request: InferWheelSourceDependencies, inseam: InseamSubsystem, python_setup: PythonSetup
) -> InferredDependencies:
    """The targets that build the wheel: the builder, and the lock of the build requirements."""
    field_set = request.field_set
    builder = await named("builder", [field_set.builder.value], field_set.address)
    resolve = field_set.resolve.value or inseam.build_resolve or ""
    return InferredDependencies([*builder, *python_lock(resolve, python_setup, inseam)])


class BuildTargets(BuildInputsRequest):
    """Asks for `wheel_from_source` targets, and for the lock of build requirements."""


@rule
async def build_targets(
    request: BuildTargets, inseam: InseamSubsystem, python_setup: PythonSetup
) -> BuildInputs:
    declared = (await declarations(DeclarationsRequest(), **implicitly())).targets
    lock = python_lock(inseam.build_resolve or "", python_setup, inseam)
    names = declared if request.distributions is None else request.distributions
    found = (declared.get(name) for name in names)
    return BuildInputs(
        (
            *(target.address for target in found if target is not None),
            *(lock if request.any_built else ()),
        )
    )


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(BuildInputsRequest, BuildTargets),
        UnionRule(InferDependenciesRequest, InferWheelSourceDependencies),
    ]
