"""Rules that fetch files that a lock names by hash: from URLs, indexes, or the repository."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pants.backend.python.subsystems.repos import PythonRepos
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST, Digest, FileEntry, PathGlobs, RemovePrefix
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    environment_vars_subset,
    get_digest_entries,
    implicitly,
    path_globs_to_digest,
    remove_prefix,
    rule,
)
from inseam.formats.failure import Failure
from inseam.formats.names import FileName
from inseam.plan.lock import is_index_neutral, resolve_url
from inseam.plan.lock_place import index_url
from inseam.plan.python_lock import INDEX
from inseam.rules.programs.host import NETWORK_ENV, Program, run_on_host
from inseam.subsystem import InseamSubsystem

_FOLDER = "wheels"


@dataclass(frozen=True)
class FileRequest:
    """Asks for a locked file of the distribution with the canonical name `project`. The URL has the
    form of `Artifact.url`.
    """

    project: str
    url: str
    sha256: str
    filename: FileName


@dataclass(frozen=True)
class FetchedFile:
    """A digest with the file at its root, and its size in bytes."""

    digest: Digest
    size: int


def index_urls(python_repos: PythonRepos) -> tuple[str, ...]:
    """The URLs of the configured indexes."""
    return tuple(map(index_url, python_repos.indexes))


def local_path(url: str) -> str:
    """The path from the root of the repository that a URL stands for; "" for any other URL."""
    scheme, _, path = url.partition(":")
    return unquote(path) if scheme == "file" and not path.startswith("/") else ""


async def _local(path: str, request: FileRequest) -> Digest:
    digest = EMPTY_DIGEST
    if path.split("/")[0] != "..":
        digest = await path_globs_to_digest(PathGlobs([path]))
    entries = await get_digest_entries(digest)
    if not entries:
        raise Failure(
            f"{path} is named in a lock, but is not in the repository. Put it there, or lock it"
            " from elsewhere."
        )
    (entry,) = entries
    assert isinstance(entry, FileEntry)
    found = entry.file_digest.fingerprint
    if found != request.sha256:
        raise Failure(
            f"{path} is not the locked file: its sha256 is {found}, and {request.sha256} is locked."
            " Restore it, or lock again."
        )
    moved: Digest = await remove_prefix(RemovePrefix(digest, os.path.dirname(path)))
    return moved


@rule(desc="Fetch a locked file", level=LogLevel.DEBUG)
async def fetched_file(
    request: FileRequest, python_repos: PythonRepos, inseam: InseamSubsystem
) -> FetchedFile:
    path = local_path(request.url)
    if path:
        digest = await _local(path, request)
    else:
        env = await environment_vars_subset(EnvironmentVarsRequest(NETWORK_ENV), **implicitly())
        out = f"{_FOLDER}/{request.filename}"
        argv: tuple[str, ...]
        mappings = python_repos.path_mappings
        in_any_index = python_repos.indexes and is_index_neutral(request.url, mappings)
        if in_any_index or request.url.startswith(f"{INDEX}:"):
            options = [f"--index={url}" for url in index_urls(python_repos)]
            options += [f"--largest={size}" for size in inseam.download_bound]
            argv = ("fetch_indexed", request.project, request.sha256, out, *options)
        else:
            url = resolve_url(request.url.partition("#")[0], mappings)
            argv = ("fetch_wheel", url, request.sha256, out, *inseam.download_bound)
        result = await run_on_host(
            Program(
                argv=argv,
                input=EMPTY_DIGEST,
                output=_FOLDER,
                description=f"Fetch {request.filename}",
                env=tuple(sorted(env.items())),
            )
        )
        digest = result.digest
    (entry,) = await get_digest_entries(digest)
    assert isinstance(entry, FileEntry)
    return FetchedFile(digest, entry.file_digest.serialized_bytes_length)


def rules() -> list[Any]:
    return [*collect_rules()]
