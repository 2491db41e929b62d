"""Rules that fetch the requirements of builds from a lock: backends, and the frontend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from pants.backend.python.subsystems.setup import PythonSetup
from pants.engine.fs import Digest, MergeDigests
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import concurrently, implicitly, merge_digests, rule
from inseam.formats.failure import Failure
from inseam.plan.artifacts import LockedSource, LockedWheel
from inseam.plan.lock import OutOfDate, closure
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Distribution, PythonLock
from inseam.rules.wheels.lock_facts import UnreadRequest, distribution_read
from inseam.rules.wheels.modules import shipped_python_lock, unpacked_modules
from inseam.rules.wheels.wheels import FetchRequest, LockRequest, fetched_wheel, lock_of, lock_path
from inseam.subsystem import InseamSubsystem
from inseam.wheels_from_source.decisions import missing_requirement

_LOCK = "build.lock"
_FRONTEND = ("build",)


@dataclass(frozen=True)
class BuildRequirementsRequest:
    """Asks for the wheels that `requirements` need, to build `source` on `platform`."""

    requirements: tuple[str, ...]
    resolve: str
    """The resolve whose lock has them; "" for the lock that comes with Inseam."""
    platform: PythonPlatform
    source: LockedSource


@dataclass(frozen=True)
class BuildRequirements:
    """A digest with the files of wheels at its root."""

    digest: Digest


def _find(
    lock: PythonLock, request: BuildRequirementsRequest, what: str
) -> tuple[LockedWheel, ...]:
    """Finds the wheels; raises Failure for requirements that the lock does not satisfy."""
    found: dict[str, LockedWheel] = {}
    for requirement in request.requirements:
        try:
            Requirement(requirement)
            needed = closure(lock, [requirement], request.platform)
        except (Failure, InvalidRequirement) as error:
            problem = error.problem if isinstance(error, OutOfDate) else error
            why = f"cannot answer that: {problem}"
            raise Failure(
                missing_requirement(request.source, requirement, why, request.resolve, what)
            ) from error
        for item in needed.locked:
            if not isinstance(item, LockedWheel):
                raise Failure(
                    f"{request.source.name} {request.source.version} needs {requirement!r} to be"
                    f" built, and of that {item.name} {item.version} has no wheel in {what}. What"
                    " builds need is not built itself, so that nothing can need itself: lock a"
                    " version that has a wheel, or put one into a folder of"
                    " [python-repos].find_links."
                )
            found[item.name] = item
    return tuple(found[name] for name in sorted(found))


def _unread(lock: PythonLock, request: BuildRequirementsRequest) -> set[Distribution]:
    """The needed distributions about which the lock does not say everything."""
    found: set[Distribution] = set()
    for requirement in request.requirements:
        try:
            found.update(closure(lock, [requirement], request.platform).unread)
        except Failure:
            continue  # `_find` reports it.
    return found


async def _read(lock: PythonLock, request: BuildRequirementsRequest) -> PythonLock:
    """The lock, completed with what only the wheels say."""
    while unread := sorted(_unread(lock, request), key=str):
        read = await concurrently(
            distribution_read(
                UnreadRequest(item, request.resolve, request.platform), **implicitly()
            )
            for item in unread
        )
        # A distribution without a wheel is an error later, whatever it requires.
        lock = lock.completed(
            {
                item: replace(one.distribution, found=one.distribution.found or ())
                for item, one in zip(unread, read)
            }
        )
    return lock


@rule(desc="Fetch what a build requires", level=LogLevel.DEBUG)
async def build_requirements(
    request: BuildRequirementsRequest, python_setup: PythonSetup, inseam: InseamSubsystem
) -> BuildRequirements:
    if request.resolve and request.resolve not in python_setup.resolves:
        raise Failure(
            f"[inseam].build_resolve is {request.resolve!r}, but [python.resolves] has no such"
            " resolve."
        )
    if request.resolve:
        lock = (await lock_of(LockRequest(request.resolve), **implicitly())).content
        lock = await _read(lock, request)
        what = f"the lock {lock_path(request.resolve, python_setup, inseam)}"
    else:
        lock, what = shipped_python_lock(_LOCK), "the lock of build backends that comes with Inseam"
    wheels = _find(lock, request, what)
    fetched = await concurrently(
        fetched_wheel(FetchRequest(wheel, request.resolve), **implicitly()) for wheel in wheels
    )
    return BuildRequirements(await merge_digests(MergeDigests(file.digest for file in fetched)))


@dataclass(frozen=True)
class FrontendRequest:
    """Asks for the build frontend for a CPython."""

    platform: PythonPlatform


@dataclass(frozen=True)
class Frontend:
    """A digest with the modules of `build` at its root."""

    digest: Digest


@rule(desc="Fetch the build frontend", level=LogLevel.DEBUG)
async def frontend(request: FrontendRequest) -> Frontend:
    platform = request.platform
    needed = closure(shipped_python_lock(_LOCK), _FRONTEND, platform).locked
    fetched = await concurrently(
        fetched_wheel(FetchRequest(wheel, ""), **implicitly())
        for wheel in needed
        if isinstance(wheel, LockedWheel)
    )
    wheels = await merge_digests(MergeDigests(file.digest for file in fetched))
    return Frontend(await unpacked_modules(wheels, "the build frontend"))


def rules() -> list[Any]:
    return [*collect_rules()]
