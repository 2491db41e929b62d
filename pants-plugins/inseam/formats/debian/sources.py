"""The places from which a locked package can be fetched: vendored, mirrors, snapshot archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inseam.formats.debian.mirror import Mirrors
from inseam.formats.debian.package import DebianPackage

VENDOR, MIRROR, SNAPSHOT = "vendor", "mirror", "snapshot"


def vendored_path(package: DebianPackage) -> str:
    """The path of a package in the vendor folder, which depends only on its content."""
    return f"sha256/{package.sha256}"


def as_url(location: str) -> str:
    """The URL of a location, which is a URL or the path of a folder; "" stays ""."""
    if not location or "://" in location:
        return location.rstrip("/")
    return Path(location).absolute().as_uri()


@dataclass(frozen=True)
class Sources:
    """The places from which packages can be fetched."""

    mirrors: Mirrors
    vendor: str = ""
    """URL of the folder of vendored packages; "" for none."""
    snapshot: str = ""
    """URL of a snapshot archive, with the folders `debian` and `debian-security`, which contain one
    folder per `timestamp`, such as "20261125T080000Z"; "" for none.
    """
    timestamp: str = ""

    def urls(self, package: DebianPackage) -> dict[str, tuple[str, ...]]:
        """The URLs of a package, best first, by kind of source.

        Raises DebianError if there is none.
        """
        found: dict[str, tuple[str, ...]] = {}
        if self.vendor:
            found[VENDOR] = (f"{self.vendor}/{vendored_path(package)}",)
        snapshot = bool(self.snapshot and self.timestamp)
        if self.mirrors.urls.get(package.archive) or not (self.vendor or snapshot):
            bases = self.mirrors.of(package.archive)
            found[MIRROR] = tuple(f"{base}/{package.path}" for base in bases)
        if snapshot:
            folder = f"{self.snapshot}/{package.archive}/{self.timestamp}"
            found[SNAPSHOT] = (f"{folder}/{package.path}",)
        return found
