"""Rules that unpack the Debian packages of a base into a root filesystem, without bytecode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST, Digest, MergeDigests, PathGlobs
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    concurrently,
    environment_vars_subset,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    rule,
)
from inseam.formats.failure import Failure, failing_in
from inseam.rules.base.base import DebianRootRequest, LockedBase, locked_base
from inseam.rules.base.debs import DebRequest, deb
from inseam.rules.programs.host import NETWORK_ENV, Program, run_on_host
from inseam.subsystem import InseamSubsystem


@dataclass(frozen=True)
class UnpackedRoot:
    """A root filesystem without bytecode."""

    digest: Digest
    """A digest with `rootfs.tar`, `rootfs.json` and `paths.txt`."""
    messages: tuple[str, ...] = ()
    """Warnings about packages that are newer than those in the lock."""


@dataclass(frozen=True)
class _Archive:
    """A digest with an archive, and the arguments with which the program gets it."""

    digest: Digest
    args: tuple[str, ...]


async def _archive(locked: LockedBase) -> _Archive:
    """The archive with the CPython of a base, fetched or from the repository."""
    archive, name = locked.archive, locked.archive.file_name if locked.archive else ""
    assert archive is not None
    if not archive.is_url:
        digest = await path_globs_to_digest(PathGlobs([archive.location]))
        if digest == EMPTY_DIGEST:
            raise Failure(
                f"{locked.base}: the archive {archive.location} of `python_archives` does not exist"
                " in the repository, or is ignored by [GLOBAL].pants_ignore."
            )
        return _Archive(digest, _archive_args(archive.location, locked))
    env = await environment_vars_subset(EnvironmentVarsRequest(NETWORK_ENV), **implicitly())
    with failing_in(locked.base):
        fetched = await run_on_host(
            Program(
                argv=("fetch_archive", archive.location, archive.sha256, f"out/{name}"),
                input=EMPTY_DIGEST,
                output="out",
                description=f"Fetch {name}",
                env=tuple(sorted(env.items())),
            )
        )
    return _Archive(fetched.digest, _archive_args(name, locked))


def _archive_args(path: str, locked: LockedBase) -> tuple[str, ...]:
    assert locked.archive is not None
    return ("--python", path, locked.archive.sha256, locked.facts.python_version)


@rule(desc="Unpack Debian packages", level=LogLevel.DEBUG)
async def unpacked_root(request: DebianRootRequest, inseam: InseamSubsystem) -> UnpackedRoot:
    locked = await locked_base(request, **implicitly())
    archive = await _archive(locked) if locked.archive else None
    suites = locked.suites if inseam.debian_allow_newer else ()
    timestamp = locked.timestamp if inseam.snapshot else ""
    with failing_in(locked.base, locked.hint):
        debs = await concurrently(
            deb(DebRequest(locked.release, suites, package, timestamp), **implicitly())
            for package in locked.packages
        )
        result = await run_on_host(
            Program(
                argv=(
                    "rootfs",
                    f"--architecture={locked.architecture}",
                    f"--interpreter={locked.facts.interpreter}",
                    "--out=out",
                    *(f"--user={user}" for user in locked.users),
                    *(archive.args if archive else ()),
                    *(package.file_name for package in locked.packages),
                ),
                input=await merge_digests(
                    MergeDigests(
                        [
                            *(fetched.digest for fetched in debs),
                            *([archive.digest] if archive else []),
                        ]
                    )
                ),
                output="out",
                description=f"Unpack {len(locked.packages)} Debian packages for {locked.base}",
            )
        )
    messages = (fetched.messages.strip() for fetched in debs)
    return UnpackedRoot(result.digest, tuple(message for message in messages if message))


def rules() -> list[Any]:
    return [*collect_rules()]
