"""Rules that fetch the compressors of layers, so that they need not be installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.repos import PythonRepos
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.engine.fs import (
    EMPTY_DIGEST,
    Digest,
    MergeDigests,
    RemovePrefix,
)
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    concurrently,
    execute_pex_cli,
    find_interpreter,
    implicitly,
    merge_digests,
    remove_prefix,
    rule,
)
from inseam.formats.failure import Failure
from inseam.plan.artifacts import LockedWheel
from inseam.plan.lock import closure
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import PythonLock
from inseam.rules.base.base import BasePython
from inseam.rules.base.interpreter import found_python
from inseam.rules.programs.digests import written
from inseam.rules.wheels.files import FileRequest, fetched_file
from inseam.rules.wheels.modules import shipped_python_lock, unpacked_modules

_LOCK = "compressors.lock"
_REQUIREMENTS = "compressors.txt"


@dataclass(frozen=True)
class CompressorsRequest:
    """Asks for compressors that the CPython of a base, or its replacement, can import."""

    python: BasePython


@dataclass(frozen=True)
class Compressors:
    """A digest with their modules at its root."""

    digest: Digest


def pinned(lock: PythonLock) -> str:
    """The requirements in a lock with the hashes of all their files, in pip's format."""
    return "".join(
        " ".join(
            [
                f"{item.name}=={item.version}",
                *(f"--hash={file.algorithm}:{file.hash}" for file in item.artifacts),
            ]
        )
        + "\n"
        for part in lock.parts
        for item in part.distributions
    )


async def _wheels(lock: PythonLock, platform: PythonPlatform) -> Digest:
    """The wheels of the lock for a platform."""
    wanted = [f"{item.name}=={item.version}" for part in lock.parts for item in part.distributions]
    fetched = await concurrently(
        fetched_file(
            FileRequest(wheel.name, wheel.url, wheel.sha256, wheel.filename), **implicitly()
        )
        for wheel in closure(lock, wanted, platform).locked
        if isinstance(wheel, LockedWheel)
    )
    merged: Digest = await merge_digests(MergeDigests(file.digest for file in fetched))
    return merged


async def _installable_wheels(
    lock: PythonLock, python_version: str, python_repos: PythonRepos
) -> Digest:
    """The wheels of the lock that an installed CPython, of any platform, can import."""
    hashed = pinned(lock)
    inputs = await written({_REQUIREMENTS: hashed.encode()})
    python = await find_interpreter(
        InterpreterConstraints([f"CPython=={python_version}.*"]), **implicitly()
    )
    result = await execute_pex_cli(
        PexCliProcess(
            subcommand=(),
            extra_args=(
                # Not the lock itself, whose URLs may need a path mapping: any index with the files
                # is enough, and the hashes show whether it has them.
                f"--requirement={_REQUIREMENTS}",
                "--no-pypi",
                *(f"--index={index}" for index in python_repos.indexes),
                *(f"--find-links={link}" for link in python_repos.find_links),
                f"--python={python.path}",
                "--layout=packed",
                "--no-emit-warnings",
                "--output-file=tools",
            ),
            additional_input_digest=inputs,
            output_directories=("tools/.deps",),
            description=f"Fetch the compressors of layers for CPython {python_version}",
        )
    )
    if result.exit_code != 0:
        raise Failure(
            "The compressors of layers (deflate and zstandard) could not be fetched. Check the"
            " network and the package index.\n" + result.stderr.decode(errors="replace").strip()
        )
    wheels: Digest = await remove_prefix(RemovePrefix(result.output_digest, "tools/.deps"))
    return wheels


@rule(desc="Fetch compressors", level=LogLevel.DEBUG)
async def compressors(request: CompressorsRequest, python_repos: PythonRepos) -> Compressors:
    if request.python.platform.free_threaded:
        # It cannot import their wheels: `formats.compression` uses a replacement.
        return Compressors(EMPTY_DIGEST)
    lock = shipped_python_lock(_LOCK)
    found = await found_python(request.python, **implicitly())
    if found.python is None:
        version = request.python.platform.python_version
        wheels = await _installable_wheels(lock, version, python_repos)
    else:
        wheels = await _wheels(lock, found.python.platform)
    return Compressors(await unpacked_modules(wheels, "the compressors of layers"))


def rules() -> list[Any]:
    return [*collect_rules()]
