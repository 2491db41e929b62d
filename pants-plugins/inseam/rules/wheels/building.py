"""The seam through which wheels of distributions come that a lock has only sources of."""

from __future__ import annotations

from abc import ABCMeta
from dataclasses import dataclass

from pants.engine.addresses import Address
from pants.engine.environment import EnvironmentName
from pants.engine.unions import union

from inseam.compat import polymorphic
from inseam.plan.artifacts import LockedSource
from inseam.rules.base.base import BasePython
from inseam.rules.wheels.wheels import BuiltWheel


@union(in_scope_types=[EnvironmentName])
@dataclass(frozen=True)
class BuildWheelRequest(metaclass=ABCMeta):
    """A wheel to build. A backend that builds wheels registers its own subclass as a member."""

    source: LockedSource
    python: BasePython
    """The CPython of the base that the wheel is for."""


@dataclass(frozen=True)
class BuildResult:
    """A wheel, or why there is none."""

    wheel: BuiltWheel | None
    why: str = ""


@polymorphic
async def built_wheel(request: BuildWheelRequest, environment: EnvironmentName) -> BuildResult:
    """Builds a wheel, and says why instead of failing, so that all failures are named at once."""
    raise NotImplementedError


@union(in_scope_types=[EnvironmentName])
@dataclass(frozen=True)
class BuildInputsRequest(metaclass=ABCMeta):
    """Asks which targets decide how wheels are built, for `--changed-since`."""

    distributions: tuple[str, ...] | None
    """Normalized names; None for all, of a lock that cannot be read."""
    any_built: bool
    """Whether one of them has no wheel for any platform."""


@dataclass(frozen=True)
class BuildInputs:
    """The targets that decide how wheels are built."""

    addresses: tuple[Address, ...]


@polymorphic
async def build_inputs(request: BuildInputsRequest, environment: EnvironmentName) -> BuildInputs:
    """Finds the targets that decide how wheels are built."""
    raise NotImplementedError
