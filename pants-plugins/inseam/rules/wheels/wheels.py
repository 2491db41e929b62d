"""Rules that read locks, fetch wheels, and install each wheel once."""

from __future__ import annotations

import logging
import posixpath
from dataclasses import dataclass, field, replace
from typing import Any, Iterable

from pants.backend.python.subsystems.repos import PythonRepos
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonRequirementsField
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.engine.fs import Digest, FileEntry, MergeDigests, PathGlobs
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    execute_pex_cli,
    find_interpreter,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    rule,
)
from inseam.formats.failure import Failure
from inseam.formats.python.wheel_facts import WHEEL_FACTS, WheelFacts, load_facts
from inseam.plan.artifacts import LockedWheel
from inseam.plan.lock_file import parse_lock, project_name
from inseam.plan.lock_place import LockPlace
from inseam.plan.pex_lock import parse_pex_lock
from inseam.plan.python_lock import Distribution, PythonLock, with_hashes
from inseam.rules.base.base import BasePython
from inseam.rules.base.process import run_on
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program
from inseam.rules.wheels.files import FileRequest, fetched_file, index_urls, local_path
from inseam.subsystem import InseamSubsystem

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuiltWheel(LockedWheel):
    """A wheel that was built. `sha256` is that of the wheel; `url` is empty."""

    source: str
    """What it was built from, in the form of `LockedSource.origin`."""
    digest: Digest
    """A digest with its file at the root."""
    size: int
    """Size of the file in bytes."""
    messages: str = ""
    """Messages from its build, for example that nothing confined it."""


@dataclass(frozen=True)
class LockRequest:
    """Asks for the lock file of a resolve."""

    resolve: str


@dataclass(frozen=True)
class Lock:
    """A lock that was read: its content, and the digest of the files that it was read from."""

    digest: Digest
    content: PythonLock = field(compare=False)


async def _with_local_facts(lock: PythonLock) -> tuple[PythonLock, tuple[Digest, ...]]:
    """The lock, completed with the hashes of files and the names of projects in the repository that
    it does not contain; and the digests of the files that these were read from.
    """
    items = [item for part in lock.parts for item in part.distributions]
    files: dict[str, list[Distribution]] = {}
    projects: dict[str, list[Distribution]] = {}
    for item in items:
        for artifact in item.artifacts:
            path = local_path(artifact.url)
            if path.split("/")[0] in ("", ".."):
                continue
            if artifact.directory and not item.name:
                projects.setdefault(posixpath.join(path, "pyproject.toml"), []).append(item)
            elif not artifact.directory and not artifact.algorithm:
                files.setdefault(path, []).append(item)
    if not files and not projects:
        return lock, ()
    hashed = await path_globs_to_digest(PathGlobs(sorted(files)))
    entries = await get_digest_entries(hashed)
    named = await path_globs_to_digest(PathGlobs(sorted(projects)))
    contents = await get_digest_contents(named)
    hashes = {
        entry.path: entry.file_digest.fingerprint
        for entry in entries
        if isinstance(entry, FileEntry)
    }
    found: dict[Distribution, Distribution] = {}
    for item in (item for some in files.values() for item in some):
        found[item] = with_hashes(item, hashes)
    for file in contents:
        name = project_name(file.content)
        for item in projects[file.path] if name else ():
            found[item] = replace(item, name=name)
    return lock.completed(found), (hashed, named)


@rule(desc="Read the lock", level=LogLevel.DEBUG)
async def lock_of(
    request: LockRequest,
    python_setup: PythonSetup,
    python_repos: PythonRepos,
    inseam: InseamSubsystem,
) -> Lock:
    resolve = request.resolve
    path = lock_path(resolve, python_setup, inseam)
    digest = await path_globs_to_digest(PathGlobs([path]))
    contents = await get_digest_contents(digest)
    if not contents:
        raise Failure(
            f"the lock file {path} of resolve {resolve!r} does not exist. Run: ./pants"
            f" generate-lockfiles --resolve={resolve}"
        )
    place = LockPlace(path, resolve, index_urls(python_repos))
    lock, more = await _with_local_facts(parse_lock(contents[0].content, place))
    return Lock(await merge_digests(MergeDigests([digest, *more])), lock)


def lock_path(resolve: str, python_setup: PythonSetup, inseam: InseamSubsystem) -> str:
    """The path of the lock that the images of a resolve are made from."""
    unknown = sorted(set(inseam.locks).difference(python_setup.resolves))
    if unknown:
        raise Failure(
            f"[inseam].locks names the resolve {unknown[0]!r}, which [python.resolves] does not"
            " have. Correct its name."
        )
    path = inseam.locks.get(resolve)
    if path:
        return path
    return python_setup.resolves[resolve]


@dataclass(frozen=True)
class ResolveRequest:
    """Asks for requirements to be resolved in a repository without resolves."""

    requirements: tuple[str, ...]
    python_version: str
    """The Python version, such as "3.11"."""


@rule(desc="Resolve requirements without a lock", level=LogLevel.DEBUG)
async def unlocked(
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
    return Lock(
        result.output_digest, parse_pex_lock(file.content, "the lock", "of the requirements")
    )


@dataclass(frozen=True)
class FetchRequest:
    """Asks for a wheel in the lock of `resolve`, or one that was built."""

    wheel: LockedWheel
    resolve: str


@dataclass(frozen=True)
class FetchedWheel:
    """A digest with the wheel's file at its root, and its size in bytes."""

    digest: Digest
    size: int


@rule(desc="Fetch a wheel", level=LogLevel.DEBUG)
async def fetched_wheel(request: FetchRequest) -> FetchedWheel:
    wheel = request.wheel
    if isinstance(wheel, BuiltWheel):
        return FetchedWheel(wheel.digest, wheel.size)
    file = await fetched_file(
        FileRequest(wheel.name, wheel.url, wheel.sha256, wheel.filename),
        **implicitly(),
    )
    return FetchedWheel(file.digest, file.size)


@dataclass(frozen=True)
class InstallRequest:
    """Asks for a wheel to be installed, with bytecode compiled by `python`."""

    wheel: FetchRequest
    python: BasePython


@dataclass(frozen=True)
class InstalledWheel:
    """An installed wheel."""

    wheel: LockedWheel
    """The locked wheel, or the one that was built."""
    facts: WheelFacts
    """Its size, licence and requirements."""
    digest: Digest
    """A digest with its wheel tree, in a folder with the wheel's file name."""
    amended: str = ""
    """What was wrong with its RECORD; empty if nothing was."""


@rule(desc="Install a wheel", level=LogLevel.DEBUG)
async def installed_wheel(request: InstallRequest) -> InstalledWheel:
    wheel = request.wheel.wheel
    filename = wheel.filename
    source = (wheel.source,) if isinstance(wheel, BuiltWheel) else ()
    fetched = await fetched_wheel(request.wheel, **implicitly())
    result = await run_on(
        request.python,
        Program(
            argv=("install_wheel", filename, f"trees/{filename}", *source),
            input=fetched.digest,
            output="trees",
            description=f"Install {filename}",
        ),
    )
    facts = load_facts(await file_content(result.digest, f"{filename}/{WHEEL_FACTS}"))
    return InstalledWheel(wheel, facts, result.digest, result.messages.strip())


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
