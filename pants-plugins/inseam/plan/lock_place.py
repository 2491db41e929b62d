"""Describes where a lock is and which indexes are configured, to resolve its paths and URLs."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from packaging.utils import canonicalize_name

from inseam.formats.failure import Failure
from inseam.formats.schema import shown
from inseam.plan.lock_values import artifact_name
from inseam.plan.python_lock import INDEX


@dataclass(frozen=True)
class LockPlace:
    """A lock file: its path from the root of the repository, its resolve, and the URLs of the
    configured indexes, which may have names, as in `NAME=URL`.
    """

    path: str
    resolve: str
    indexes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the lock in messages."""
        return f"the lock of resolve {self.resolve!r}"

    @property
    def generate(self) -> str:
        """The command with which Pants generates it."""
        return f"./pants generate-lockfiles --resolve={self.resolve}"

    @property
    def folder(self) -> str:
        """The folder that it is in; "" for the root."""
        return posixpath.dirname(self.path)

    def failure(self, format: str, problem: str, refresh: str) -> Failure:
        """The error that says what is wrong with the file, and what to do."""
        return Failure(f"{self.path} is not a usable {format}: {problem}. {refresh}")

    def local(self, path: str, where: str, folder: str | None = None) -> str:
        """The URL of a path that is relative to the lock's folder, or to another folder."""
        if "\\" in path or not path.isprintable():
            raise Failure(f"{where} has no usable `path`, one with slashes: it is {shown(path)}")
        if path.startswith("/"):
            return f"file://{quote(path)}"
        found = posixpath.normpath(posixpath.join(self.folder if folder is None else folder, path))
        return f"file:{quote(found)}"

    def indexed(self, registry: str, url: str, name: str, where: str) -> str:
        """The URL of a file from a registry: its own URL if the registry is a configured index or
        the URL contains path mappings, otherwise one that means any configured index.

        Raises Failure for a URL without a file name.
        """
        if "${" in url or urlsplit(url).scheme == "file" or self._is_configured(registry):
            return url
        file = artifact_name(url, where)
        return f"{INDEX}:{canonicalize_name(name)}/{quote(file)}"

    def _is_configured(self, registry: str) -> bool:
        return _normal(registry) in {_normal(index_url(index)) for index in self.indexes}


def index_url(index: str) -> str:
    """The URL of a configured index, which may have a name, as in `NAME=URL`."""
    name, _, url = index.partition("=")
    return url if url and "/" not in name and ":" not in name else index


def _normal(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme.lower()}://{host}{unquote(parts.path).rstrip('/')}"
