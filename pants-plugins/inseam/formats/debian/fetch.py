"""Fetches locked Debian packages."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from inseam.formats import download
from inseam.formats.debian import mirror as debian_mirror
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import IndexEntry, newest, read_release
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.release import Trust
from inseam.formats.debian.sources import Sources
from inseam.formats.debian.version import sort_key
from inseam.formats.download import Corrupt, Gone, Unreachable
from inseam.formats.files import whole

INDEX_FOR_ALL = (
    "amd64"  # the architecture of an index that also lists the packages with `Architecture: all`
)


def fetch(package: DebianPackage, sources: Sources, output: Path) -> None:
    """Downloads a package to `output`, completely or not at all.

    Raises Gone if all sources answer that they do not have it (see `gone_error`), DebianError if a
    source has another file in its place or does not answer.
    """
    urls = [url for kind in sources.urls(package).values() for url in kind]
    try:
        with whole(output) as out:
            download.download(urls, out, size=package.size, sha256=package.sha256)
    except Corrupt as error:
        raise DebianError(
            f"{package} does not match the lock:\n{_indent(error)}\n"
            "The download was discarded. A proxy or a broken mirror may be the cause: try again, or"
            f" set {debian_mirror.MIRROR_VARIABLE} to another mirror. If Debian replaced the"
            " package, lock the packages again and review the diff."
        ) from None
    except Unreachable as error:
        raise DebianError(
            f"{package} could not be fetched:\n{_indent(error)}\n"
            f"Check the network and the proxy settings, or set {debian_mirror.MIRROR_VARIABLE} to"
            " a mirror that this machine can reach."
        ) from None


def _indent(text: object) -> str:
    return "\n".join(f"  {line}" for line in str(text).splitlines())


def gone_error(package: DebianPackage, error: Gone) -> DebianError:
    """The error to show when no mirror has the locked version of a package."""
    return DebianError(
        f"{package} is no longer on any mirror, probably because a newer version replaced it:\n"
        f"{_indent(error)}\n"
        "Lock the packages again and commit the lock. To build the locked version, set"
        " [inseam].debian_snapshot to a snapshot archive, or [inseam].debian_vendor to where the"
        " packages have been vendored. To build now with the newer, signed version, set"
        " [inseam].debian_allow_newer; the image then differs from the lock."
    )


def find_newer(package: DebianPackage, entries: Sequence[IndexEntry]) -> DebianPackage | None:
    """The newest version of a package in a release; None if it is not newer."""
    same = [entry for entry in entries if entry.name == package.name]
    found = newest(same).get(package.name)
    if found is None or sort_key(found.version) <= sort_key(package.version):
        return None
    return found.package


def fetch_newer(
    package: DebianPackage,
    sources: Sources,
    output: Path,
    release: str,
    gone: Gone,
    trust: Trust,
) -> DebianPackage:
    """Downloads the newest signed version of a package that is gone, and says so on stderr.

    Returns the package that was downloaded.
    """
    architecture = INDEX_FOR_ALL if package.architecture == "all" else package.architecture
    index = read_release(sources.mirrors, release, [architecture], trust)
    newer = find_newer(package, index.packages[architecture])
    if newer is None:
        raise gone_error(package, gone)
    try:
        fetch(newer, sources, output)
    except Gone as error:
        raise gone_error(newer, error) from None
    debian_mirror.warn(
        f"{package} has gone from the mirrors;"
        f" {newer.version} (sha256 {newer.sha256}), signed by Debian, was taken in its place."
        " This image is NOT the locked one. Lock the packages again."
    )
    return newer
