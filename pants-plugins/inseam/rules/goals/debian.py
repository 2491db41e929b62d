"""The goals `vendor-debian-packages` and `check-debian-locks`, which keep bases durable."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pants.base.build_environment import get_buildroot
from pants.engine.console import Console
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import (
    CreateDigest,
    Digest,
    FileEntry,
    MergeDigests,
    PathGlobs,
    Workspace,
)
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.rules import collect_rules, goal_rule
from pants.engine.target import Targets
from pants.option.option_types import EnumOption, StrOption
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from inseam.compat import (
    concurrently,
    create_digest,
    environment_vars_subset,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    rule,
)
from inseam.formats.debian.lock import parse_lock, refresh_command
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.sources import vendored_path
from inseam.formats.debian.updates import REPORTS_FILE, describe, load_reports
from inseam.formats.failure import Failure
from inseam.formats.names import relative_path
from inseam.rules.base.base import packages_path
from inseam.rules.base.debs import FETCH_ENV, DebRequest, deb, trust_args, vendor_folder
from inseam.rules.base.default_base import (
    BUILD_TOOLS,
    how_to_lock,
    is_default_lock,
    shipped_files,
    shipped_lock,
)
from inseam.rules.programs.digests import file_content, written
from inseam.rules.programs.host import Program, run_on_host
from inseam.subsystem import DEFAULT_BASE, Backend, BuildTools, InseamSubsystem
from inseam.targets.base import READY_PREFIX, DebianLockField, RootfsSourcesField

_DEFAULT_FOLDER = "dist/debian-packages"


@dataclass(frozen=True)
class _Lock:
    """The lock of a base: its path, its text, and how to lock the newest versions."""

    path: str
    content: bytes
    how_to_lock: str


async def _locks(targets: Targets, goal: str, inseam: InseamSubsystem) -> tuple[_Lock, ...]:
    """The locks of the bases among the targets, by path; raises Failure if there are none.

    Every repository has the target of the default base, so its lock is included only if that base
    is in use or no other base is given.
    """
    bases = {
        target[DebianLockField].value: target
        for target in targets
        if target.has_field(DebianLockField) and target.has_field(RootfsSourcesField)
    }
    own = [path for path in bases if not is_default_lock(path)]
    paths = own if own and inseam.base != DEFAULT_BASE else list(bases)
    if not paths:
        raise Failure(
            f"There is no `debian_base` among the given targets. Name one, as in `./pants {goal}"
            f" docker/base:debian`, or all: ./pants {goal} ::"
        )
    found = await get_digest_contents(await path_globs_to_digest(PathGlobs(paths)))
    contents = {file.path: file.content for file in found}
    for path in paths:
        contents.update(shipped_files(bases[path]))
        if path not in contents:
            raise Failure(f"The lock {path} does not exist. Run: {refresh_command(path)}")
    return tuple(
        _Lock(path, contents[path], how_to_lock(packages_path(bases[path]), path))
        for path in sorted(paths)
    )


def _tools(inseam: InseamSubsystem) -> tuple[_Lock, ...]:
    """The lock of the packages that confine builds of wheels, which comes with Inseam; nothing if
    they are not fetched.
    """
    if inseam.build_tools == BuildTools.installed or Backend.wheels_from_source in inseam.without:
        return ()
    path = f"{READY_PREFIX}{BUILD_TOOLS}.json"
    return (_Lock(path, shipped_lock(BUILD_TOOLS).encode(), "It comes with Inseam."),)


@dataclass(frozen=True)
class VendoredLockRequest:
    """Asks for all packages of a lock, for every architecture and group."""

    path: str
    content: bytes
    """The text of the lock."""


@dataclass(frozen=True)
class VendoredLock:
    """A digest with the packages, each at its path in the vendor folder, and their sizes in bytes,
    by path.
    """

    digest: Digest
    sizes: tuple[tuple[str, int], ...]


@rule(desc="Fetch the Debian packages of a lock", level=LogLevel.DEBUG)
async def vendored_lock(request: VendoredLockRequest, inseam: InseamSubsystem) -> VendoredLock:
    lock = parse_lock(request.content.decode(errors="replace"), request.path)
    packages: dict[str, DebianPackage] = {
        vendored_path(locked.package): locked.package
        for found in lock.packages.values()
        for locked in found
    }
    timestamp = lock.timestamp if inseam.snapshot else ""
    if inseam.debian_allow_newer:
        raise Failure(
            "[inseam].debian_allow_newer is set, so packages other than the locked ones could be"
            " vendored. Run the goal with --no-inseam-debian-allow-newer."
        )
    debs = await concurrently(
        deb(DebRequest(lock.request.release, (), package, timestamp), **implicitly())
        for package in packages.values()
    )
    entries = await concurrently(get_digest_entries(one.digest) for one in debs)
    files = [
        FileEntry(path, entry.file_digest)
        for (path, package), found in zip(packages.items(), entries)
        for entry in found
        if isinstance(entry, FileEntry) and entry.path == package.file_name
    ]
    return VendoredLock(
        await create_digest(CreateDigest(files)),
        tuple((path, package.size) for path, package in packages.items()),
    )


class VendorSubsystem(GoalSubsystem):
    name = "vendor-debian-packages"
    help = softwrap(
        """
        Copy the locked packages of `debian_base` targets to a folder, named by their sha256, with
        those that confine builds of wheels (`[inseam].build_tools`).

        Mirrors drop a package once a newer version is available. If you keep a copy of the folder,
        in the repository, on a disk or in a bucket, and set `[inseam].debian_vendor`, the base can
        always be built. Packages that are already there are not fetched again, and nothing is
        removed, because older commits need older packages.
        """
    )

    output = StrOption(
        default=None,
        help=softwrap(
            f"""
            The folder, as a path from the root of the repository. Default: the folder in
            `[inseam].debian_vendor`, or `{_DEFAULT_FOLDER}`.
            """
        ),
    )


class Vendor(Goal):
    subsystem_cls = VendorSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def vendor_debian_packages(
    targets: Targets,
    console: Console,
    options: VendorSubsystem,
    inseam: InseamSubsystem,
    workspace: Workspace,
) -> Vendor:
    folder = options.output or vendor_folder(inseam) or _DEFAULT_FOLDER
    folder = relative_path(folder, f"--{options.name}-output")
    found = (*await _locks(targets, options.name, inseam), *_tools(inseam))
    locks = await concurrently(
        vendored_lock(VendoredLockRequest(lock.path, lock.content), **implicitly())
        for lock in found
    )
    place = Path(get_buildroot(), folder)
    for of, lock in zip(found, locks):
        new = [size for name, size in lock.sizes if not (place / name).is_file()]
        console.print_stdout(
            f"{of.path}: {len(lock.sizes)} packages,"
            f" {sum(size for _, size in lock.sizes) / 1e6:.1f} MB, of which {len(new)} are new in"
            f" {folder}"
        )
    merged = await merge_digests(MergeDigests(lock.digest for lock in locks))
    workspace.write_digest(merged, path_prefix=folder)
    return Vendor(exit_code=0)


class ReportFormat(Enum):
    """How a report is printed."""

    text = "text"
    json = "json"


class CheckSubsystem(GoalSubsystem):
    name = "check-debian-locks"
    help = softwrap(
        """
        Compare the locks of `debian_base` targets with Debian's current packages.

        Reads Debian's signed indexes and lists packages that have updates, with the version and
        suite of the fix, and packages that the mirrors dropped. The exit code is 0 if there is
        nothing to do, 2 if there are security updates, 4 if a package can no longer be fetched from
        a mirror, `[inseam].debian_vendor` or `[inseam].debian_snapshot`, 6 for both, and 1 if the
        check failed.
        """
    )

    format = EnumOption(
        default=ReportFormat.text, help="How to print the report: as `text` or as `json`."
    )


class Check(Goal):
    subsystem_cls = CheckSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@goal_rule
async def check_debian_locks(
    targets: Targets, console: Console, options: CheckSubsystem, inseam: InseamSubsystem
) -> Check:
    locks = await _locks(targets, options.name, inseam)
    folder = vendor_folder(inseam)
    location = posixpath.join(get_buildroot(), folder) if folder else inseam.debian_vendor
    env = await environment_vars_subset(
        EnvironmentVarsRequest([*FETCH_ENV, "PATH"]), **implicitly()
    )
    result = await run_on_host(
        Program(
            argv=(
                "check_debs",
                "--out=out",
                *((f"--vendor={location}",) if location else ()),
                *((f"--snapshot={inseam.snapshot}",) if inseam.snapshot else ()),
                *trust_args(inseam),
                *(lock.path for lock in locks),
            ),
            input=await written({lock.path: lock.content for lock in locks}),
            output="out",
            description=f"Check {', '.join(lock.path for lock in locks)}",
            env=tuple(sorted(env.items())),
            cacheable=False,
        )
    )
    text = (await file_content(result.digest, REPORTS_FILE)).decode()
    reports = load_reports(text)
    as_json = options.format is ReportFormat.json
    described = (describe(report, lock.how_to_lock) for report, lock in zip(reports, locks))
    console.print_stdout(text.rstrip() if as_json else "\n".join(described))
    exit_code = 0
    for report in reports:
        exit_code |= report.exit_code
    return Check(exit_code=exit_code)


def rules() -> list[Any]:
    return [*collect_rules()]
