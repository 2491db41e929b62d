"""Rules that find what a lock does not say: names of files, and what distributions require."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.repos import PythonRepos
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import environment_vars_subset, implicitly, rule
from inseam.plan.artifacts import Locked, LockedWheel
from inseam.plan.lock import chosen
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import INDEX, Artifact, Distribution
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import NETWORK_ENV, Program, run_on_host
from inseam.rules.wheels.files import index_urls
from inseam.rules.wheels.wheels import FetchRequest, fetched_wheel

_FOUND = "found.json"


@dataclass(frozen=True)
class WheelRequires:
    """What a wheel requires, as requirement strings."""

    requires: tuple[str, ...]


@rule(desc="Find what a wheel requires", level=LogLevel.DEBUG)
async def wheel_requires(request: FetchRequest) -> WheelRequires:
    fetched = await fetched_wheel(request, **implicitly())
    result = await run_on_host(
        Program(
            argv=("wheel_requires", request.wheel.filename, f"out/{_FOUND}"),
            input=fetched.digest,
            output="out",
            description=f"Find what {request.wheel.filename} requires",
        )
    )
    return WheelRequires(tuple(json.loads(await file_content(result.digest, _FOUND))))


@dataclass(frozen=True)
class UnreadRequest:
    """Asks to complete a distribution about which the lock of `resolve` does not say everything."""

    distribution: Distribution
    resolve: str
    platform: PythonPlatform


@dataclass(frozen=True)
class ReadDistribution:
    """The distribution with the names of its files and, unless it has to be built, what it
    requires; and the artifact that is used.
    """

    distribution: Distribution
    locked: Locked


async def _file_names(
    request: UnreadRequest, python_repos: PythonRepos
) -> tuple[tuple[Artifact, str], ...]:
    """The artifacts that have only a hash in the lock, with the names of their files."""
    item = request.distribution
    project = canonicalize_name(item.name)
    hashes = sorted(
        artifact.hash
        for artifact in item.artifacts
        if artifact.is_nameless and artifact.algorithm == "sha256"
    )
    if not hashes:
        return ()
    env = await environment_vars_subset(EnvironmentVarsRequest(NETWORK_ENV), **implicitly())
    result = await run_on_host(
        Program(
            argv=(
                "find_files",
                project,
                f"out/{_FOUND}",
                *(f"--index={url}" for url in index_urls(python_repos)),
                *hashes,
            ),
            input=EMPTY_DIGEST,
            output="out",
            description=f"Find the files of {item}",
            env=tuple(sorted(env.items())),
        )
    )
    names = json.loads(await file_content(result.digest, _FOUND))
    return tuple(
        (artifact, names[artifact.hash])
        for artifact in item.artifacts
        if artifact.is_nameless and artifact.hash in names
    )


@rule(desc="Find what a lock leaves open", level=LogLevel.DEBUG)
async def distribution_read(request: UnreadRequest, python_repos: PythonRepos) -> ReadDistribution:
    item = request.distribution
    found = await _file_names(request, python_repos)
    if found:
        project = canonicalize_name(item.name)
        named = sorted(found, key=lambda pair: pair[1])
        others = (artifact for artifact in item.artifacts if not artifact.is_nameless)
        item = replace(
            item,
            artifacts=(
                *others,
                *(
                    replace(artifact, url=f"{INDEX}:{project}/{quote(name)}")
                    for artifact, name in named
                ),
            ),
        )
    locked = chosen(item, request.platform)
    if isinstance(locked, LockedWheel):
        wheel = FetchRequest(locked, request.resolve)
        required = await wheel_requires(wheel, **implicitly())
        item = replace(item, found=required.requires)
    return ReadDistribution(item, locked)


def rules() -> list[Any]:
    return [*collect_rules()]
