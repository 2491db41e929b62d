"""Chooses the artifact of a locked distribution: the best wheel, or otherwise a source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping, Union
from urllib.parse import unquote, urlparse, urlsplit, urlunsplit

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.names import FileName, RelativePath
from inseam.formats.python.repository import (
    RepositoryUrl,
    Revision,
    parse_revision,
    subdirectory,
)
from inseam.plan.lock_values import artifact_name, subdirectory_of
from inseam.plan.platform import PythonPlatform
from inseam.plan.python_lock import Artifact, Distribution
from inseam.plan.wheel_names import parse_wheel_name

_ARCHIVES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tar")


@dataclass(frozen=True)
class LockedWheel:
    """A wheel in a lock: canonical name, version, file name, sha256 in hex, and the URL in the
    lock, in which `${NAME}` stands for a path mapping.
    """

    name: str
    version: str
    filename: FileName
    sha256: str
    url: str


@dataclass(frozen=True)
class LockedSource:
    """A locked distribution that has to be built."""

    name: str
    version: str
    """Empty if the lock does not say."""
    sha256: str
    """In hex: for an archive, its hash; for a checkout, the fingerprint of its files; for a
    directory, the hash of the sdist made from it when it was locked; "" if the lock has none.
    """
    url: str
    requires: tuple[str, ...] | None
    """Its requirements according to the lock; None if the lock does not say."""

    @property
    def subdirectory(self) -> RelativePath:
        """The project's folder within the content of the URL; "" for the top."""
        return subdirectory(subdirectory_of(self.url), f"the sources of {self.name}")

    @property
    def origin(self) -> str:
        """Its name in reports, which contains neither the host of an index nor a user."""
        raise NotImplementedError


@dataclass(frozen=True)
class LockedArchive(LockedSource):
    """A source distribution (PEP 625), or another archive of sources."""

    @property
    def filename(self) -> FileName:
        return artifact_name(self.url, f"the sources of {self.name}")

    @property
    def origin(self) -> str:
        return f"{self.filename}#sha256={self.sha256}"


@dataclass(frozen=True)
class LockedDirectory(LockedSource):
    """A directory with a project."""

    @staticmethod
    def located(url: str) -> str:
        """The path that such a URL stands for once path mappings are resolved: absolute, or from
        the root of the repository.
        """
        return unquote(urlparse(url).path).rstrip("/")

    @property
    def origin(self) -> str:
        # Its files belong to the repository, and may be newer than the lock.
        return f"{self.located(self.url).rpartition('/')[2]}/"


@dataclass(frozen=True)
class LockedCheckout(LockedSource):
    """A revision in a repository of a version control system."""

    @property
    def system(self) -> str:
        """The version control system, such as "git"."""
        return self.url.partition("+")[0]

    @property
    def revision(self) -> Revision:
        """The revision that git has to fetch; raises Failure for a URL of another system."""
        return parse_revision(self.url, f"the checkout of {self.name}")

    @property
    def origin(self) -> str:
        revision = self.revision
        parts = urlsplit(revision.repository)
        shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return f"{self.system}+{revision._replace(repository=RepositoryUrl(shown)).url}"


Locked = Union[LockedWheel, LockedSource]


def choose(item: Distribution, rank: Mapping[str, int], platform: PythonPlatform) -> Locked:
    """The artifact of a distribution to use on `platform`.

    That is the wheel with the best tag (PEP 425) or, if there are several, the one with the highest
    build number (PEP 427); if no wheel fits, it is a source. rank: the position of each of the
    platform's tags, best first.

    Raises Failure if there is neither, or if the distribution does not support the Python.
    """
    _check_python(item, platform)
    wheels: list[tuple[tuple[int, tuple[int, str]], FileName, str, Artifact]] = []
    sources: list[LockedSource] = []
    present: set[str] = set()
    for artifact in item.artifacts:
        if _is_place(artifact):
            # Its name does not become a path.
            sources.append(_source(item, artifact))
            continue
        filename = artifact_name(artifact.url, f"a file of {item.name} in the lock")
        try:
            named = parse_wheel_name(filename)
        except ValueError:
            if filename.lower().endswith(_ARCHIVES):
                sources.append(_source(item, artifact))
            continue
        present |= named.tags
        ranks = [rank[tag] for tag in named.tags if tag in rank]
        if ranks:
            place = (-min(ranks), named.build or (0, ""))
            wheels.append((place, filename, str(named.version), artifact))
    best = max(wheels, key=lambda wheel: wheel[:2], default=None)
    if best is not None:
        _, filename, release, artifact = best
        _check_hash(item, artifact)
        return LockedWheel(
            canonicalize_name(item.name),
            item.version or release,
            filename,
            artifact.hash,
            artifact.url,
        )
    if sources:
        return sources[0]
    raise _none_fits(item, present, platform)


def _check_python(item: Distribution, platform: PythonPlatform) -> None:
    """Raises Failure if a distribution does not run on the platform's Python."""
    try:
        runs = platform.python_full_version in SpecifierSet(item.requires_python)
    except ValueError:
        raise Failure(
            f"{item} has no usable `requires_python`: it is {foreign_word(item.requires_python)}"
        ) from None
    if not runs:
        raise Failure(
            f"{item} requires Python {item.requires_python}, but the base has"
            f" {platform.python_full_version}. Lock another version, or choose another base."
        )


def _none_fits(item: Distribution, present: Iterable[str], platform: PythonPlatform) -> Failure:
    """present: the tags of the wheels that the lock has."""
    tags = foreign_word(", ".join(sorted(present)), width=2000)[1:-1]
    there = f"It has wheels for: {tags}." if tags else "It has no wheel."
    return Failure(
        f"{item} has no wheel for linux/{platform.architecture} with CPython"
        f" {platform.python_full_version} and glibc {platform.glibc}, and the lock has no"
        f" source to build one from. {there} Lock a version that has one, choose another base, or"
        " lock it with sources allowed."
    )


def _is_place(artifact: Artifact) -> bool:
    """Whether an artifact is a checkout or a directory, not a single file."""
    last = urlparse(artifact.url).path.rsplit("/", 1)[-1].lower()
    return (
        artifact.directory
        or "+" in artifact.url.partition(":")[0]
        or (
            urlparse(artifact.url).scheme == "file"
            and not last.endswith((*_ARCHIVES, ".whl", ".egg"))
        )
    )


def _source(item: Distribution, artifact: Artifact) -> LockedSource:
    """The artifact as a source."""
    kind: type[LockedSource] = LockedArchive
    if _is_place(artifact):
        is_checkout = "+" in artifact.url.partition(":")[0]
        kind = LockedCheckout if is_checkout else LockedDirectory
    if kind is LockedArchive or artifact.hash:
        _check_hash(item, artifact)
    return kind(
        canonicalize_name(item.name), item.version, artifact.hash, artifact.url, item.requires
    )


def _check_hash(item: Distribution, artifact: Artifact) -> None:
    if not artifact.algorithm and artifact.url.startswith("file:"):
        raise Failure(
            f"{item} is locked as {unquote(artifact.url[5:])}, which is not a file in the"
            " repository."
        )
    if artifact.algorithm != "sha256":
        raise Failure(
            f"{item} is locked with {artifact.algorithm or 'no hash'}, not with sha256. Generate"
            " the lock again: ./pants generate-lockfiles"
        )
