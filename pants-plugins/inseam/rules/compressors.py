"""Rules that fetch the compressors of layers, which no Python of the machine has to have."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.repos import PythonRepos
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.engine.fs import CreateDigest, Digest, FileContent, RemovePrefix
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import (
    by_name,
    create_digest,
    digest_to_snapshot,
    execute_pex_cli,
    find_interpreter,
    implicitly,
    remove_prefix,
)
from inseam.formats.failure import Failure
from inseam.plan.pex_lock import parse_pex_lock
from inseam.plan.python_lock import PythonLock
from inseam.rules.process import ProgramRequest, run_program

_LOCK = "compressors.lock"
_REQUIREMENTS = "compressors.txt"


@dataclass(frozen=True)
class CompressorsRequest:
    """The compressors that CPython, in a version like "3.11", can import on this machine."""

    python_version: str


@dataclass(frozen=True)
class Compressors:
    """A digest with their modules at its root."""

    digest: Digest


def pinned(lock: PythonLock) -> str:
    """The requirements of a lock with the hashes of all their files, in the form that pip reads."""
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


@rule(desc="Fetch compressors", level=LogLevel.DEBUG)
async def fetch_compressors(request: CompressorsRequest, python_repos: PythonRepos) -> Compressors:
    text = pkgutil.get_data("inseam", _LOCK)
    assert text is not None
    hashed = pinned(parse_pex_lock(text, _LOCK, "compressors"))
    inputs = await create_digest(CreateDigest([FileContent(_REQUIREMENTS, hashed.encode())]))
    python = await find_interpreter(
        InterpreterConstraints([f"CPython=={request.python_version}.*"]), **implicitly()
    )
    result = await execute_pex_cli(
        PexCliProcess(
            subcommand=(),
            extra_args=(
                # Not the lock itself, whose URLs may need a path mapping: any index that has the
                # files will do, and the hashes say whether it does.
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
            description=f"Fetch the compressors of layers for CPython {request.python_version}",
        )
    )
    if result.exit_code != 0:
        raise Failure(
            "The compressors of layers (deflate and zstandard) could not be fetched. Check the"
            " network and the package index.\n" + result.stderr.decode(errors="replace").strip()
        )
    wheels = await remove_prefix(RemovePrefix(result.output_digest, "tools/.deps"))
    files = await digest_to_snapshot(wheels)
    unpacked = await run_program(
        ProgramRequest(
            argv=("unpack", "libraries", *files.files),
            input=wheels,
            output="libraries",
            python_version=request.python_version,
            description="Unpack the compressors of layers",
        ),
        **implicitly(),
    )
    return Compressors(unpacked.digest)


compressors = by_name(fetch_compressors)


def rules() -> list[Any]:
    return [*collect_rules()]
