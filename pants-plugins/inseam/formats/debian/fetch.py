"""Fetches locked Debian packages from mirrors."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from inseam.formats import download
from inseam.formats.debian import mirror as debian_mirror
from inseam.formats.debian.control import DebianError, refresh_command
from inseam.formats.debian.index import IndexEntry, Verifier, newest, read_release
from inseam.formats.debian.lock import LockedPackage
from inseam.formats.debian.mirror import Mirrors
from inseam.formats.debian.version import sort_key
from inseam.formats.download import Corrupt, Gone, Unreachable
from inseam.formats.files import whole

INDEX_FOR_ALL = "amd64"  # an index that lists the packages of `Architecture: all`, too


def fetch(package: LockedPackage, mirrors: Mirrors, output: Path, release: str) -> None:
    """Downloads a package to `output`, whole or not at all.

    Raises Gone if every mirror answers that it does not have it (see `gone_error`), DebianError
    if a mirror has something else in its place, or does not answer.
    """
    urls = [f"{base}/{package.path}" for base in mirrors.of(package.archive)]
    title = f"Debian package {package.name} {package.version} ({package.architecture})"
    try:
        with whole(output) as out:
            download.download(urls, out, size=package.size, sha256=package.sha256)
    except Corrupt as error:
        raise DebianError(
            f"{title} is not what the lock says:\n{_indent(error)}\n"
            "Nothing was kept. A proxy or a broken mirror may be the cause: try again, or another"
            f" {debian_mirror.MIRROR_VARIABLE}. If Debian replaced the package, refresh the lock"
            f" with `{refresh_command(release)}` and review its diff."
        ) from None
    except Unreachable as error:
        raise DebianError(
            f"{title} could not be fetched:\n{_indent(error)}\n"
            f"Check the network and the proxy settings, or set {debian_mirror.MIRROR_VARIABLE} to"
            " a mirror that this machine can reach."
        ) from None


def _indent(text: object) -> str:
    return "\n".join(f"  {line}" for line in str(text).splitlines())


def gone_error(package: LockedPackage, error: Gone, release: str) -> DebianError:
    """What a person should know when no mirror has the locked version of a package."""
    return DebianError(
        f"Debian package {package.name} {package.version} ({package.architecture}) is on no mirror"
        f" any more, probably because a newer version replaced it:\n{_indent(error)}\n"
        f"Refresh the lock with `{refresh_command(release)}` and commit it. To build at once with"
        " the newer, signed version instead, set [inseam].debian_allow_newer; the image is then"
        " not the locked one."
    )


def find_newer(package: LockedPackage, entries: Sequence[IndexEntry]) -> LockedPackage | None:
    """The newest version of a package that a release has, None if that is not newer."""
    same = [entry for entry in entries if entry.name == package.name]
    found = newest(same).get(package.name)
    if found is None or sort_key(found.version) <= sort_key(package.version):
        return None
    return LockedPackage(
        name=found.name,
        version=found.version,
        architecture=found.architecture,
        archive=found.archive,
        path=found.path,
        size=found.size,
        sha256=found.sha256,
    )


def fetch_newer(
    package: LockedPackage,
    mirrors: Mirrors,
    output: Path,
    release: str,
    gone: Gone,
    verify: Verifier | None = None,
) -> None:
    """Downloads the newest signed version of a package that has gone, and says so on stderr."""
    architecture = INDEX_FOR_ALL if package.architecture == "all" else package.architecture
    index = read_release(mirrors, release, [architecture], verify)
    newer = find_newer(package, index[architecture])
    if newer is None:
        raise gone_error(package, gone, release)
    try:
        fetch(newer, mirrors, output, release)
    except Gone as error:
        raise gone_error(newer, error, release) from None
    debian_mirror.warn(
        f"Debian package {package.name} {package.version} has gone from the mirrors;"
        f" {newer.version} (sha256 {newer.sha256}), signed by Debian, was taken in its place."
        f" This image is NOT the locked one. Refresh the lock with `{refresh_command(release)}`."
    )
