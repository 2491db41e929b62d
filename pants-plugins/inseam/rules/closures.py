"""Rules that find the wheels which requirements need, and have those built that a lock lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import by_name, concurrently, implicitly
from inseam.formats.failure import Failure
from inseam.plan.agreement import check_lock_python
from inseam.plan.artifacts import Locked, LockedSource, LockedWheel
from inseam.plan.building import describe_failures, describe_sources
from inseam.plan.lock import closure, matching
from inseam.plan.platform import PythonPlatform
from inseam.rules.built_wheels import BuildRequest, built_wheel
from inseam.rules.wheels import LockRequest, ResolveRequest, lock_of, unlocked
from inseam.subsystem import InseamSubsystem


@dataclass(frozen=True)
class ClosureRequest:
    """The wheels that `requirements` need of the lock of `resolve`, and those of the distributions
    that `globs` match."""

    requirements: tuple[str, ...]
    resolve: str
    platform: PythonPlatform
    globs: tuple[str, ...] = ()
    transitive: bool = True


@dataclass(frozen=True)
class LockedWheels:
    """Wheels in order of name."""

    wheels: tuple[LockedWheel, ...]


@rule(desc="Find the wheels of requirements", level=LogLevel.DEBUG)
async def read_closure(
    request: ClosureRequest, python_setup: PythonSetup, inseam: InseamSubsystem
) -> LockedWheels:
    if not request.requirements and not request.globs:
        return LockedWheels(())
    resolve = request.resolve
    if python_setup.enable_resolves:
        lock = (await lock_of(LockRequest(resolve), **implicitly())).content
    else:
        wanted = ResolveRequest(request.requirements, request.platform.python_version)
        lock = (await unlocked(wanted, **implicitly())).content
    check_lock_python(lock.get("requires_python") or (), resolve, request.platform.python)
    found: dict[str, Locked] = {
        item.name: item
        for glob in request.globs
        for item in matching(lock, glob, request.platform, resolve=resolve)
    }
    roots = [*request.requirements]
    if request.transitive:
        roots += [f"{item.name}=={item.version}" for item in found.values()]
    needed = closure(lock, roots, request.platform, resolve=resolve)
    if request.transitive:
        found.update({item.name: item for item in needed.locked})
    else:
        named = {canonicalize_name(Requirement(text).name) for text in request.requirements}
        found.update({item.name: item for item in needed.locked if item.name in named})
    ordered = [found[name] for name in sorted(found)]
    sources = [item for item in ordered if isinstance(item, LockedSource)]
    if sources and not inseam.build_wheels:
        raise Failure(describe_sources(sources, needed.required_by, request.platform))
    results = await concurrently(
        built_wheel(BuildRequest(source, request.platform), **implicitly()) for source in sources
    )
    failures = {
        source: result.why for source, result in zip(sources, results) if result.wheel is None
    }
    if failures:
        raise Failure(describe_failures(failures, needed.required_by))
    wheels = {item.name: item for item in ordered if isinstance(item, LockedWheel)}
    wheels.update({result.wheel.name: result.wheel for result in results})
    return LockedWheels(tuple(wheels[name] for name in sorted(wheels)))


closure_of = by_name(read_closure)


def rules() -> list[Any]:
    return [*collect_rules()]
