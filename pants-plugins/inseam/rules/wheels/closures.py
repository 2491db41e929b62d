"""Rules that find the wheels that requirements need, and have missing ones built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionMembership
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import concurrently, implicitly, rule
from inseam.formats.failure import Failure
from inseam.plan.agreement import check_lock_python
from inseam.plan.artifacts import Locked, LockedSource, LockedWheel
from inseam.plan.building import describe_failures, describe_sources
from inseam.plan.lock import WheelClosure, chosen, closure, matching
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Distribution, PythonLock
from inseam.plan.required_by import START
from inseam.rules.base.base import BasePython
from inseam.rules.wheels.building import BuildResult, BuildWheelRequest, built_wheel
from inseam.rules.wheels.lock_facts import UnreadRequest, distribution_read, wheel_requires
from inseam.rules.wheels.wheels import FetchRequest, LockRequest, ResolveRequest, lock_of, unlocked
from inseam.subsystem import InseamSubsystem


@dataclass(frozen=True)
class ClosureRequest:
    """Asks for the wheels of a lock that requirements need."""

    requirements: tuple[str, ...]
    resolve: str
    """The resolve that the lock is for."""
    python: BasePython
    """The CPython of the base that the wheels are for."""
    globs: tuple[str, ...] = ()
    """Globs; distributions that match one of them are also included."""
    transitive: bool = True
    leave_out: tuple[str, ...] = ()
    """As in `plan.lock.closure`."""

    @property
    def platform(self) -> PythonPlatform:
        """The platform that the wheels must run on."""
        return self.python.platform


@dataclass(frozen=True)
class LockedWheels:
    """The wheels that requirements need."""

    wheels: tuple[LockedWheel, ...]
    """In order of name."""
    left_out: tuple[str, ...] = ()
    """Names of the distributions that are left out."""
    required_by: FrozenDict[str, tuple[str, ...]] = field(default_factory=FrozenDict)
    """What requires each wheel, by name, as `plan.required_by` has it."""


def _unread(lock: PythonLock, request: ClosureRequest) -> tuple[list[Distribution], WheelClosure]:
    """The needed distributions about which the lock does not say everything, and the closure if
    there are none.
    """
    globbed = {
        item.name: item for glob in request.globs for item in matching(lock, glob, request.platform)
    }
    pins = [f"{item.name}=={item.version}".rstrip("=") for item in globbed.values()]
    roots = (*request.requirements, *(pins if request.transitive else ()))
    needed = closure(lock, roots, request.platform, request.leave_out)
    unread = {item for item in (*globbed.values(), *needed.unread) if item.needs is None}
    return sorted(unread, key=str), needed


async def _built(
    sources: Sequence[LockedSource], python: BasePython, builder: type[BuildWheelRequest] | None
) -> tuple[BuildResult, ...]:
    """The wheels built from sources, in the same order; none without a builder."""
    if builder is None:
        return ()
    requests = [builder(source, python) for source in sources]
    results: tuple[BuildResult, ...] = await concurrently(
        built_wheel(**implicitly({request: BuildWheelRequest})) for request in requests
    )
    return results


async def _read(
    unread: list[Distribution], request: ClosureRequest, builder: type[BuildWheelRequest] | None
) -> dict[Distribution, Distribution]:
    """These distributions, completed with what the lock does not say about them."""
    platform = request.platform
    read = await concurrently(
        distribution_read(UnreadRequest(item, request.resolve, platform), **implicitly())
        for item in unread
    )
    sources = [one.locked for one in read if isinstance(one.locked, LockedSource)]
    results = await _built(sources, request.python, builder)
    wheels = [result.wheel for result in results if result.wheel is not None]
    required = await concurrently(
        wheel_requires(FetchRequest(wheel, request.resolve), **implicitly()) for wheel in wheels
    )
    known = {wheel.name: one.requires for wheel, one in zip(wheels, required)}
    found = {}
    for item, one in zip(unread, read):
        requires = one.distribution.found
        if requires is None:
            # The failure is reported later, together with all others.
            requires = known.get(one.locked.name, ())
        found[item] = replace(one.distribution, found=requires)
    return found


@rule(desc="Find the wheels of requirements", level=LogLevel.DEBUG)
async def closure_of(
    request: ClosureRequest,
    python_setup: PythonSetup,
    inseam: InseamSubsystem,
    membership: UnionMembership,
) -> LockedWheels:
    if not request.requirements and not request.globs:
        return LockedWheels(())
    platform = request.platform
    if python_setup.enable_resolves:
        lock = (await lock_of(LockRequest(request.resolve), **implicitly())).content
    else:
        wanted = ResolveRequest(request.requirements, platform.python_version)
        lock = (await unlocked(wanted, **implicitly())).content
    check_lock_python(lock.requires_python, request.resolve, platform.python_full_version)
    builder = next(iter(inseam.enabled(membership[BuildWheelRequest])), None)
    unread, needed = _unread(lock, request)
    while unread:
        lock = lock.completed(await _read(unread, request, builder))
        unread, needed = _unread(lock, request)
    found: dict[str, Locked] = {
        item.name: item
        for glob in request.globs
        for one in matching(lock, glob, platform)
        for item in (chosen(one, platform),)
    }
    if request.transitive:
        found.update({item.name: item for item in needed.locked})
    else:
        named = {canonicalize_name(Requirement(text).name) for text in request.requirements}
        found.update({item.name: item for item in needed.locked if item.name in named})
    ordered = [found[name] for name in sorted(found)]
    sources = [item for item in ordered if isinstance(item, LockedSource)]
    if sources and builder is None:
        raise Failure(describe_sources(sources, needed.required_by, platform))
    results = await _built(sources, request.python, builder)
    failures = {
        source: result.why for source, result in zip(sources, results) if result.wheel is None
    }
    if failures:
        raise Failure(describe_failures(failures, needed.required_by))
    wheels = {item.name: item for item in ordered if isinstance(item, LockedWheel)}
    wheels.update({one.wheel.name: one.wheel for one in results if one.wheel is not None})
    left_out = tuple(name for name in needed.left_out if name not in wheels)
    required_by = {name: needed.required_by.get(name, (START,)) for name in sorted(wheels)}
    return LockedWheels(
        tuple(map(wheels.__getitem__, required_by)), left_out, FrozenDict(required_by)
    )


def rules() -> list[Any]:
    return [*collect_rules()]
