"""Rules that read locks, fetch wheels and install each once."""

from __future__ import annotations

import logging
import posixpath
from dataclasses import dataclass, field
from typing import Any, Iterable

from pants.backend.python.subsystems.repos import PythonRepos
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementsField
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry, PathGlobs
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import (
    by_name,
    environment_vars_subset,
    execute_pex_cli,
    find_interpreter,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    path_globs_to_digest,
)
from inseam.formats.failure import Failure
from inseam.plan.artifacts import LockedWheel
from inseam.plan.lock import is_index_neutral, parse, resolve_url
from inseam.rules.process import NETWORK_ENV, ProgramRequest, run_program
from inseam.subsystem import InseamSubsystem

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuiltWheel(LockedWheel):
    """A wheel that was built: sha256 is its own, url is empty.

    source: what it was built from, as `LockedSource.origin`. digest: its file, at the root. size:
    of that, in bytes.
    """

    source: str
    digest: Digest
    size: int


@dataclass(frozen=True)
class LockRequest:
    """The lock file of a resolve."""

    resolve: str


@dataclass(frozen=True)
class Lock:
    """A lock file, read: the digest of the file, and its JSON."""

    digest: Digest
    content: dict[str, Any] = field(compare=False)


@rule(desc="Read the lock", level=LogLevel.DEBUG)
async def read_lock(request: LockRequest, python_setup: PythonSetup) -> Lock:
    resolve = request.resolve
    path = python_setup.resolves[resolve]
    digest = await path_globs_to_digest(PathGlobs([path]))
    contents = await get_digest_contents(digest)
    if not contents:
        raise Failure(
            f"the lock file {path} of resolve {resolve!r} does not exist. Run: ./pants"
            f" generate-lockfiles --resolve={resolve}"
        )
    return Lock(digest, parse(contents[0].content, path, resolve))


lock_of = by_name(read_lock)


@dataclass(frozen=True)
class ResolveRequest:
    """A lock of requirements in a repository without resolves. python_version: as "3.11"."""

    requirements: tuple[str, ...]
    python_version: str


@rule(desc="Resolve requirements without a lock", level=LogLevel.DEBUG)
async def resolve_unlocked(
    request: ResolveRequest, python_setup: PythonSetup, python_repos: PythonRepos
) -> Lock:
    python = await find_interpreter(
        InterpreterConstraints([f"CPython=={request.python_version}.*"]), **implicitly()
    )
    constraints = python_setup.requirement_constraints
    files = await path_globs_to_digest(PathGlobs([constraints] if constraints else []))
    result = await execute_pex_cli(
        PexCliProcess(
            subcommand=("lock", "create"),
            extra_args=(
                *request.requirements,
                "--output=lock.json",
                "--style=universal",
                "--target-system=linux",
                f"--interpreter-constraint=CPython=={request.python_version}.*",
                f"--python-path={posixpath.dirname(python.path)}",
                *([f"--constraints={constraints}"] if constraints else []),
                "--no-pypi",
                *(f"--index={index}" for index in python_repos.indexes),
                *(f"--find-links={link}" for link in python_repos.find_links),
            ),
            additional_input_digest=files,
            output_files=("lock.json",),
            description=f"Resolve {len(request.requirements)} requirements without a lock",
        )
    )
    if result.exit_code != 0:
        raise Failure(
            "the requirements could not be resolved:\n"
            + result.stderr.decode(errors="replace").strip()
            + "\nCheck the network and the package index."
        )
    logger.warning(
        "[python].enable_resolves is off: without a lock, images get the newest versions of the day"
        " when they are first built. Set it, and run: ./pants generate-lockfiles"
    )
    (file,) = await get_digest_contents(result.output_digest)
    return Lock(result.output_digest, parse(file.content, "the lock", "of the requirements"))


unlocked = by_name(resolve_unlocked)


@dataclass(frozen=True)
class FetchRequest:
    """A wheel of the lock of `resolve`, or one that was built. python_version: of CPython that runs
    the program."""

    wheel: LockedWheel
    resolve: str
    python_version: str


@dataclass(frozen=True)
class FetchedWheel:
    """A digest with the wheel's file at its root, and its size in bytes."""

    digest: Digest
    size: int


@rule(desc="Fetch a wheel", level=LogLevel.DEBUG)
async def fetch_wheel(
    request: FetchRequest, python_repos: PythonRepos, inseam: InseamSubsystem
) -> FetchedWheel:
    wheel = request.wheel
    if isinstance(wheel, BuiltWheel):
        return FetchedWheel(wheel.digest, wheel.size)
    env = await environment_vars_subset(EnvironmentVarsRequest(NETWORK_ENV), **implicitly())
    indexes: tuple[str, ...] = ()
    if python_repos.indexes and is_index_neutral(wheel.url, python_repos.path_mappings):
        place, indexes = wheel.name, tuple(python_repos.indexes)
    else:
        place = resolve_url(wheel.url, python_repos.path_mappings)
    result = await run_program(
        ProgramRequest(
            argv=(
                "fetch_wheel",
                place,
                wheel.sha256,
                f"wheels/{wheel.filename}",
                *inseam.download_bound,
                *(f"--index={index}" for index in indexes),
            ),
            input=EMPTY_DIGEST,
            output="wheels",
            python_version=request.python_version,
            description=f"Fetch {wheel.filename}",
            env=tuple(sorted(env.items())),
        ),
        **implicitly(),
    )
    (entry,) = await get_digest_entries(result.digest)
    assert isinstance(entry, FileEntry)
    return FetchedWheel(result.digest, entry.file_digest.serialized_bytes_length)


fetched_wheel = by_name(fetch_wheel)


@dataclass(frozen=True)
class InstalledWheel:
    """A digest with a wheel tree in a folder with the wheel's file name."""

    digest: Digest


@rule(desc="Install a wheel", level=LogLevel.DEBUG)
async def install_wheel(request: FetchRequest) -> InstalledWheel:
    wheel, filename = request.wheel, request.wheel.filename
    source = (wheel.source,) if isinstance(wheel, BuiltWheel) else ()
    fetched = await fetched_wheel(request, **implicitly())
    result = await run_program(
        ProgramRequest(
            argv=("install_wheel", filename, f"trees/{filename}", *source),
            input=fetched.digest,
            output="trees",
            python_version=request.python_version,
            description=f"Install {filename}",
        ),
        **implicitly(),
    )
    if result.messages:
        logger.warning(result.messages.strip())
    return InstalledWheel(result.digest)


installed_wheel = by_name(install_wheel)


def requirement_strings(targets: Iterable[Any]) -> tuple[str, ...]:
    """The requirements that the `python_requirement`s among `targets` stand for, sorted."""
    return tuple(
        sorted(
            {
                str(requirement)
                for target in targets
                if target.has_field(PythonRequirementsField)
                for requirement in target[PythonRequirementsField].value
            }
        )
    )


def rules() -> list[Any]:
    return [*collect_rules()]
