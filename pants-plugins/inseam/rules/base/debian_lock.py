"""Rules that let `generate-lockfiles` lock the Debian packages of bases."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import total_ordering
from typing import Any

from pants.core.goals.generate_lockfiles import (
    GenerateLockfile,
    GenerateLockfileResult,
    KnownUserResolveNames,
    KnownUserResolveNamesRequest,
    LockfileDiff,
    LockfilePackages,
    RequestedUserResolveNames,
    UserGenerateLockfiles,
)
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import AddPrefix, CreateDigest, FileContent, MergeDigests, PathGlobs
from pants.engine.rules import collect_rules
from pants.engine.target import AllTargets
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    CALL_BY_NAME,
    add_prefix,
    create_digest,
    digest_to_snapshot,
    environment_vars_subset,
    get_digest_contents,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    rule,
)
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.lock import lock_name, parse_lock
from inseam.formats.debian.version import sort_key
from inseam.formats.failure import Failure
from inseam.rules.base.base import packages_path
from inseam.rules.base.debs import FETCH_ENV, trust_args
from inseam.rules.base.default_base import is_shipped, shipped_files
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program, run_on_host
from inseam.subsystem import InseamSubsystem
from inseam.targets.base import DebianLockField, RootfsSourcesField

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenerateDebianLock(GenerateLockfile):
    """Asks for a lock of Debian packages."""

    packages: str
    """Path of the list of packages."""
    shipped: tuple[FileContent, ...] = ()
    """That list, if it comes with Inseam."""


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
        if is_shipped(path):
            continue
        lock = GenerateDebianLock(
            resolve_name=lock_name(path),
            lockfile_dest=path,
            diff=False,
            packages=packages_path(target),
            shipped=tuple(
                FileContent(name, content) for name, content in shipped_files(target).items()
            ),
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


@total_ordering
@dataclass(frozen=True)
class DebianVersion:
    """A version that compares as in Debian, for Pants' summary of changes."""

    text: str

    def __lt__(self, other: DebianVersion) -> bool:
        return sort_key(self.text) < sort_key(other.text)

    def __str__(self) -> str:
        return self.text


def _versions(text: bytes) -> LockfilePackages:
    """The versions in a lock, by name; by name and architecture where these differ."""
    lock = parse_lock(text.decode())
    found: dict[str, dict[str, str]] = {}
    for architecture, packages in lock.packages.items():
        for locked in packages:
            by_architecture = found.setdefault(locked.package.name, {})
            by_architecture[architecture] = locked.package.version
    versions = {}
    for name, by_architecture in found.items():
        if len({*by_architecture.values()}) == 1 and len(by_architecture) == len(lock.packages):
            versions[name] = DebianVersion(next(iter(by_architecture.values())))
        else:
            versions.update(
                {f"{name}:{one}": DebianVersion(text) for one, text in by_architecture.items()}
            )
    return LockfilePackages(versions)


def lock_diff(request: GenerateDebianLock, before: bytes | None, now: bytes) -> LockfileDiff | None:
    """What changed between two locks; None if there is no lock to compare with."""
    try:
        old = _versions(before or b"")
    except (DebianError, UnicodeDecodeError):
        return None
    return LockfileDiff.create(request.lockfile_dest, request.resolve_name, old, _versions(now))


@rule(desc="Lock Debian packages", level=LogLevel.DEBUG)
async def generate_debian_lock(
    request: GenerateDebianLock, inseam: InseamSubsystem
) -> GenerateLockfileResult:
    shipped = await create_digest(CreateDigest(request.shipped))
    wanted = {request.packages, request.lockfile_dest} - {file.path for file in request.shipped}
    own = await path_globs_to_digest(PathGlobs(sorted(wanted)))
    files = await merge_digests(MergeDigests([shipped, own]))
    found = (await digest_to_snapshot(files)).files
    if request.packages not in found:
        raise Failure(
            f"The list of Debian packages {request.packages} does not exist. Create it, or set the"
            " `packages` field of the `debian_base` to an existing file."
        )
    env = await environment_vars_subset(
        EnvironmentVarsRequest([*FETCH_ENV, "PATH"]), **implicitly()
    )
    before = request.lockfile_dest
    folder, _, name = before.rpartition("/")
    result = await run_on_host(
        Program(
            argv=(
                "lock_debs",
                f"--packages={request.packages}",
                f"--output=lock/{name}",
                *((f"--before={before}",) if before in found else ()),
                *trust_args(inseam),
            ),
            input=files,
            output="lock",
            description=f"Lock the Debian packages of {request.packages}",
            env=tuple(sorted(env.items())),
            cacheable=False,
        )
    )
    if result.messages.strip():
        logger.warning("%s: %s", request.lockfile_dest, result.messages.strip())
    before_files = {file.path: file.content for file in await get_digest_contents(files)}
    made = await file_content(result.digest, name)
    digest = await add_prefix(AddPrefix(result.digest, folder))
    return GenerateLockfileResult(
        digest,
        request.resolve_name,
        request.lockfile_dest,
        # Printed whether or not `--generate-lockfiles-diff` asks for it: what a base is made of
        # changes, which is hard to see in a file of sizes and hashes.
        lock_diff(request, before_files.get(before), made),
    )


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
