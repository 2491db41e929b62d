"""The content of a lock of Python distributions, independent of its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

# The scheme of URLs of files that are looked up in the configured indexes: `index:NAME/FILE`, or
# `index:NAME` if the lock has only the file's hash.
INDEX = "index"


@dataclass(frozen=True)
class Artifact:
    """A file, checkout or directory from which a distribution can be installed or built."""

    url: str
    """In the form of PEX locks, with `${NAME}` for a path mapping; `file:PATH` for a path from the
    root of the repository; or a URL with the scheme `index`.
    """
    algorithm: str = ""
    """Algorithm of the hash; "" for a checkout or directory without a hash."""
    hash: str = ""
    """The file's hash, in hex."""
    directory: bool = False
    """Whether the lock says that it is a directory."""

    @property
    def is_nameless(self) -> bool:
        """Whether it is a file in an index of which only the hash is known."""
        return self.url.startswith(f"{INDEX}:") and "/" not in self.url


@dataclass(frozen=True)
class Distribution:
    """A distribution in a lock."""

    name: str
    """As spelled in the lock."""
    version: str
    """Empty if the lock has no version."""
    artifacts: tuple[Artifact, ...]
    requires: tuple[str, ...] | None = ()
    """Requirement strings (PEP 508); None if the lock has none and only the wheel has them."""
    requires_python: str = ""
    markers: tuple[str, ...] = ()
    """The distribution is used if one of them is true; empty for all platforms."""
    found: tuple[str, ...] | None = None
    """The requirements in its wheel, once they were read."""

    @property
    def needs(self) -> tuple[str, ...] | None:
        """Its requirements; None as long as they are not known."""
        return self.found if self.requires is None else self.requires

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True)
class Part:
    """Distributions that were locked together, and markers, one of which must be true."""

    distributions: tuple[Distribution, ...]
    markers: tuple[str, ...] = ()


@dataclass(frozen=True)
class PythonLock:
    """A lock."""

    name: str
    """The name of the lock in messages."""
    parts: tuple[Part, ...]
    """The first part that is for the platform is used."""
    refresh: str
    """What to do when it is out of date, such as "Run: COMMAND"."""
    requires_python: tuple[str, ...] = ()
    """Interpreter constraints, one of which must allow the Python; empty for any Python."""

    def completed(self, found: Mapping[Distribution, Distribution]) -> PythonLock:
        """The lock with some distributions replaced with more complete ones."""
        if not found:
            return self
        return replace(
            self,
            parts=tuple(
                replace(
                    part, distributions=tuple(found.get(one, one) for one in part.distributions)
                )
                for part in self.parts
            ),
        )


def with_hashes(item: Distribution, hashes: Mapping[str, str]) -> Distribution:
    """The distribution, with a sha256 for each of its files in the repository that had no hash.

    hashes: in hex, by path. Other files stay as they are.
    """
    return replace(
        item,
        artifacts=tuple(
            (
                replace(artifact, algorithm="sha256", hash=hashes[path])
                if not artifact.algorithm and path in hashes
                else artifact
            )
            for artifact in item.artifacts
            for path in (unquote(artifact.url.partition(":")[2]),)
        ),
    )
