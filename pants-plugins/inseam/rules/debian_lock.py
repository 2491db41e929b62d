"""Rules that let `generate-lockfiles` lock the Debian packages of bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.core.goals.generate_lockfiles import (
    GenerateLockfile,
    GenerateLockfileResult,
    KnownUserResolveNames,
    KnownUserResolveNamesRequest,
    RequestedUserResolveNames,
    UserGenerateLockfiles,
)
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import AddPrefix, PathGlobs
from pants.engine.rules import collect_rules, rule
from pants.engine.target import AllTargets
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    CALL_BY_NAME,
    add_prefix,
    digest_to_snapshot,
    environment_vars_subset,
    implicitly,
    path_globs_to_digest,
)
from inseam.formats.failure import Failure
from inseam.rules.base import FETCH_ENV, lock_name, packages_path
from inseam.rules.process import ProgramRequest, run_program
from inseam.targets.base import DebianLockField, PythonVersionField, RootfsSourcesField


@dataclass(frozen=True)
class GenerateDebianLock(GenerateLockfile):
    """packages: path of the list of packages. python_version: of CPython that runs the program."""

    packages: str
    python_version: str


class RequestedDebianLocks(RequestedUserResolveNames):
    pass


class KnownDebianLocksRequest(KnownUserResolveNamesRequest):
    pass


def _locks(targets: AllTargets) -> dict[str, GenerateDebianLock]:
    locks: dict[str, GenerateDebianLock] = {}
    for target in targets:
        if not target.has_field(RootfsSourcesField):
            continue
        path = target[DebianLockField].value
        lock = GenerateDebianLock(
            resolve_name=lock_name(path),
            lockfile_dest=path,
            diff=False,
            packages=packages_path(target),
            python_version=".".join(target[PythonVersionField].value.split(".")[:2]),
        )
        known = locks.setdefault(lock.resolve_name, lock)
        if (known.packages, known.lockfile_dest) != (lock.packages, lock.lockfile_dest):
            raise Failure(
                f"The locks {known.lockfile_dest} (of {known.packages}) and {path} (of"
                f" {lock.packages}) have the same name. Rename one of the two files."
            )
    return locks


@rule
async def known_debian_locks(
    _: KnownDebianLocksRequest, targets: AllTargets
) -> KnownUserResolveNames:
    return KnownUserResolveNames(
        names=tuple(sorted(_locks(targets))),
        option_name="the `lock` fields of `debian_base` targets",
        requested_resolve_names_cls=RequestedDebianLocks,
    )


@rule
async def requested_debian_locks(
    requested: RequestedDebianLocks, targets: AllTargets
) -> UserGenerateLockfiles:
    locks = _locks(targets)
    return UserGenerateLockfiles(locks[name] for name in requested)


@rule(desc="Lock Debian packages", level=LogLevel.DEBUG)
async def generate_debian_lock(request: GenerateDebianLock) -> GenerateLockfileResult:
    listed = await path_globs_to_digest(PathGlobs([request.packages]))
    found = await digest_to_snapshot(listed)
    if not found.files:
        raise Failure(
            f"The list of Debian packages {request.packages} does not exist. Create it, or set the"
            " `packages` field of the `debian_base` to an existing file."
        )
    env = await environment_vars_subset(
        EnvironmentVarsRequest([*FETCH_ENV, "PATH"]), **implicitly()
    )
    folder, _, name = request.lockfile_dest.rpartition("/")
    result = await run_program(
        ProgramRequest(
            argv=("lock_debs", f"--packages={request.packages}", f"--output=lock/{name}"),
            input=listed,
            output="lock",
            python_version=request.python_version,
            description=f"Lock the Debian packages of {request.packages}",
            env=tuple(sorted(env.items())),
            cacheable=False,
        ),
        **implicitly(),
    )
    digest = await add_prefix(AddPrefix(result.digest, folder))
    return GenerateLockfileResult(digest, request.resolve_name, request.lockfile_dest)


if not CALL_BY_NAME:
    # Pants 2.17 wants each request wrapped; later versions dispatch on its type.
    from pants.core.goals.generate_lockfiles import WrappedGenerateLockfile

    @rule
    async def wrap_debian_lock(request: GenerateDebianLock) -> WrappedGenerateLockfile:
        return WrappedGenerateLockfile(request)


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateLockfile, GenerateDebianLock),
        UnionRule(KnownUserResolveNamesRequest, KnownDebianLocksRequest),
        UnionRule(RequestedUserResolveNames, RequestedDebianLocks),
    ]
