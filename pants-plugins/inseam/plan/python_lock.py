"""What a lock of Python distributions says, whichever format it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

# The scheme of URLs that say: the file is where the configured indexes have it.
# `index:NAME/FILE`, or `index:NAME` where the lock has no more than the file's hash.
INDEX = "index"


@dataclass(frozen=True)
class Artifact:
    """A file, checkout or directory that a distribution can be had from."""

    url: str
    """As PEX locks have it, with `${NAME}` for a path mapping; `file:PATH` for a path from the root
    of the repository; or one of the scheme `index`."""
    algorithm: str = ""
    """Of the hash; "" for a checkout or directory without one."""
    hash: str = ""
    """Of the file, in hex."""
    directory: bool = False
    """Whether it is declared to be a directory."""

    @property
    def is_nameless(self) -> bool:
        """Whether nothing but a hash is known of a file of an index."""
        return self.url.startswith(f"{INDEX}:") and "/" not in self.url


@dataclass(frozen=True)
class Distribution:
    """A distribution in a lock."""

    name: str
    """As the lock spells it."""
    version: str
    """Empty if the lock has none."""
    artifacts: tuple[Artifact, ...]
    requires: tuple[str, ...] | None = ()
    """Requirement strings (PEP 508), None if the lock does not say and only the wheel knows."""
    requires_python: str = ""
    markers: tuple[str, ...] = ()
    """One must be true where the distribution is used; none for everywhere."""
    found: tuple[str, ...] | None = None
    """What its wheel requires, once that was asked."""

    @property
    def needs(self) -> tuple[str, ...] | None:
        """What it requires, None as long as that is not known."""
        return self.found if self.requires is None else self.requires

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True)
class Part:
    """Distributions that were locked together, and the markers of which one must be true."""

    distributions: tuple[Distribution, ...]
    markers: tuple[str, ...] = ()


@dataclass(frozen=True)
class PythonLock:
    """A lock."""

    name: str
    """What messages call it."""
    parts: tuple[Part, ...]
    """The first one that is for the platform counts."""
    refresh: str
    """What to do when it is out of date, as "Run: COMMAND"."""
    requires_python: tuple[str, ...] = ()
    """Interpreter constraints, one of which must hold; none for any."""

    def completed(self, found: Mapping[Distribution, Distribution]) -> PythonLock:
        """The lock with some distributions replaced by what is now known of them."""
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
    """The distribution with the sha256 of those of its files in the repository that have no hash.

    hashes: by path. Those of other files stay as they are.
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
