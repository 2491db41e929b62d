"""The extension point for building wheels of distributions that are locked only as sources."""

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
    """Asks for a wheel to be built. Backends that build wheels register a subclass as a member."""

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
    """Builds a wheel. Returns an error instead of raising it, so that all are reported at once."""
    raise NotImplementedError


@union(in_scope_types=[EnvironmentName])
@dataclass(frozen=True)
class BuildInputsRequest(metaclass=ABCMeta):
    """Asks which targets affect how wheels are built, for `--changed-since`."""

    distributions: tuple[str, ...] | None
    """Normalized names of distributions; None for all, if the lock cannot be read."""
    any_built: bool
    """Whether one of them has no wheel for any platform."""


@dataclass(frozen=True)
class BuildInputs:
    """The targets that affect how wheels are built."""

    addresses: tuple[Address, ...]


@polymorphic
async def build_inputs(request: BuildInputsRequest, environment: EnvironmentName) -> BuildInputs:
    """Finds the targets that affect how wheels are built."""
    raise NotImplementedError
