"""Rules that fetch the sources of wheels: archives, checkouts, directories."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.repos import PythonRepos
from pants.base.build_environment import get_buildroot
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST, AddPrefix, Digest, PathGlobs
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    add_prefix,
    environment_vars_subset,
    implicitly,
    path_globs_to_digest,
    rule,
)
from inseam.formats.failure import Failure
from inseam.plan.artifacts import LockedArchive, LockedCheckout, LockedDirectory, LockedSource
from inseam.plan.lock import resolve_url
from inseam.rules.programs.host import NETWORK_ENV, Program, run_on_host
from inseam.rules.wheels.files import FileRequest, fetched_file
from inseam.subsystem import InseamSubsystem

# The environment variables that git reads.
_GIT_ENV = (*NETWORK_ENV, "GIT_SSH_COMMAND", "HOME", "PATH", "SSH_AUTH_SOCK")
_FOLDER = "source"


@dataclass(frozen=True)
class SourceRequest:
    """Asks for the sources of a distribution."""

    source: LockedSource


@dataclass(frozen=True)
class FetchedSource:
    """A digest with an archive, the archive's path in it, and the project's folder in the archive;
    "" for the top.
    """

    digest: Digest
    path: str
    subdirectory: str


async def _archive(source: LockedArchive) -> FetchedSource:
    file = await fetched_file(
        FileRequest(source.name, source.url, source.sha256, source.filename),
        **implicitly(),
    )
    return FetchedSource(file.digest, source.filename, source.subdirectory)


async def _checkout(source: LockedCheckout, allow_files: bool) -> FetchedSource:
    if source.system != "git":
        raise Failure(
            f"it is locked from a repository of {source.system}, and only git ones are supported."
            " Make an sdist or a wheel of it, and lock that by its URL or in a folder of"
            " [python-repos].find_links."
        )
    revision = source.revision
    env = await environment_vars_subset(EnvironmentVarsRequest(_GIT_ENV), **implicitly())
    path = f"{source.name}.tar"
    result = await run_on_host(
        Program(
            argv=(
                "fetch_checkout",
                f"--name={source.name}",
                f"--source={revision.url}",
                f"--sha256={source.sha256}",
                f"--out={_FOLDER}/{path}",
                *(("--allow-files",) if allow_files else ()),
            ),
            input=EMPTY_DIGEST,
            output=_FOLDER,
            description=f"Check out {source.origin}",
            env=tuple(sorted(env.items())),
        )
    )
    return FetchedSource(result.digest, path, revision.subdirectory)


async def _files_of(directory: str) -> Digest:
    """The files of a directory of the repository, except those that Pants ignores."""
    inside = "" if directory == "." else f"{directory}/"
    globs = (f"{inside}**", f"!{inside}**/__pycache__/**", f"!{inside}.git/**")
    files = await path_globs_to_digest(PathGlobs(globs))
    if files == EMPTY_DIGEST:
        raise Failure(
            f"the directory {directory} has no files, or Pants ignores them"
            " ([GLOBAL].pants_ignore)"
        )
    return files


async def _directory(source: LockedDirectory, url: str) -> FetchedSource:
    root = get_buildroot()
    directory = os.path.join(root, source.located(url))
    inside = os.path.relpath(directory, root)
    if inside.split("/")[0] == "..":
        raise Failure(
            f"it is locked from the directory {directory}, which is outside of the repository, so"
            " it is only on this machine. Move it into the repository, or lock a wheel or an sdist"
            " of it."
        )
    files = await _files_of(inside)
    path = f"{source.name}.tar"
    result = await run_on_host(
        Program(
            # In a separate folder, because the directory may be the root of the repository, and the
            # other files of a sandbox are not sources.
            argv=("pack_source", os.path.normpath(f"directory/{inside}"), f"{_FOLDER}/{path}"),
            input=await add_prefix(AddPrefix(files, "directory")),
            output=_FOLDER,
            description=f"Pack {inside}",
        )
    )
    return FetchedSource(result.digest, path, "")


@rule(desc="Fetch sources", level=LogLevel.DEBUG)
async def fetched_source(
    request: SourceRequest, python_repos: PythonRepos, inseam: InseamSubsystem
) -> FetchedSource:
    source = request.source
    if isinstance(source, LockedCheckout):
        return await _checkout(source, inseam.allow_file_repositories)
    if isinstance(source, LockedDirectory):
        url = resolve_url(source.url, python_repos.path_mappings)
        return await _directory(source, url)
    assert isinstance(source, LockedArchive)
    return await _archive(source)


def rules() -> list[Any]:
    return [*collect_rules()]
