"""Reads the signed package index of a Debian release from its mirrors.

The chain of trust is that of apt-secure(8): the archive's keys sign InRelease, which has the
sha256 of each Packages file, which has the sha256 of each package.
"""

from __future__ import annotations

import io
import lzma
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Callable, Iterable

from inseam.formats import download
from inseam.formats.debian import mirror as debian_mirror
from inseam.formats.debian.archive import MAIN_ARCHIVE, SECURITY_ARCHIVE
from inseam.formats.debian.control import DebianError, Paragraph, paragraphs, single_paragraph
from inseam.formats.debian.mirror import Mirrors
from inseam.formats.debian.version import sort_key

COMPONENT = "main"
KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
)
KEYRING_VARIABLE = "DEBIAN_KEYRING"

Verifier = Callable[[bytes, str], str]


@dataclass(frozen=True)
class IndexEntry:
    """One package as a Packages index describes it.

    archive: `debian` or `debian-security`, where `path` is.
    path: below the archive's base URL, `pool/main/...`.
    size: bytes. sha256: hexadecimal.
    depends: its Pre-Depends and Depends fields, joined by a comma. provides: its Provides field.
    """

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: str
    depends: str = ""
    provides: str = ""


def suites_of(release: str) -> tuple[tuple[str, str], ...]:
    """(suite, archive) of everything that makes up a stable release with its fixes."""
    return (
        (release, MAIN_ARCHIVE),
        (f"{release}-updates", MAIN_ARCHIVE),
        (f"{release}-security", SECURITY_ARCHIVE),
    )


def read_release(
    mirrors: Mirrors, release: str, architectures: Iterable[str], verify: Verifier | None = None
) -> dict[str, list[IndexEntry]]:
    """Architecture -> all packages of a release for it, `Architecture: all` ones included.

    verify: takes an InRelease file and its description, returns the signed text; `verify_inrelease`
        unless a test says otherwise.

    Raises DebianError if a mirror cannot be reached, or serves what the archive did not sign.
    """
    wanted = list(architectures)
    found: dict[str, list[IndexEntry]] = {architecture: [] for architecture in wanted}
    for suite, archive in suites_of(release):
        for architecture, entries in _read_suite(
            mirrors.of(archive), suite, archive, wanted, verify or verify_inrelease
        ).items():
            found[architecture].extend(entries)
    return found


def newest(entries: Iterable[IndexEntry]) -> dict[str, IndexEntry]:
    """Name -> entry with the highest version; of equal ones the first."""
    best: dict[str, IndexEntry] = {}
    for entry in entries:
        known = best.get(entry.name)
        if known is None or sort_key(entry.version) > sort_key(known.version):
            best[entry.name] = entry
    return best


def _read_suite(
    bases: Iterable[str], suite: str, archive: str, architectures: list[str], verify: Verifier
) -> dict[str, list[IndexEntry]]:
    """Reads from the first mirror that has the whole suite, signed by the archive."""
    failures = []
    for base in bases:
        try:
            return _read_suite_of(base, suite, archive, architectures, verify)
        except _UnusableMirror as error:
            failures.append(str(error))
    raise DebianError(
        f"no mirror serves the suite {suite} as Debian signed it:\n  "
        + "\n  ".join(failures)
        + f"\nCheck the network, or set {debian_mirror.MIRROR_VARIABLE} to another mirror."
    )


class _UnusableMirror(Exception):
    pass


def _read_suite_of(
    base: str, suite: str, archive: str, architectures: list[str], verify: Verifier
) -> dict[str, list[IndexEntry]]:
    directory = f"{base}/dists/{suite}"
    signed = _get([f"{directory}/InRelease"])
    try:
        text = verify(signed, f"{directory}/InRelease")
        release = single_paragraph(text, f"{directory}/InRelease")
    except InvalidSignature as error:
        raise _UnusableMirror(str(error)) from None
    if release.get("Codename") != suite:
        raise _UnusableMirror(
            f"{directory}/InRelease is signed, but it is of {release.get('Codename')!r}"
        )
    hashes: dict[str, tuple[str, int]] = {}
    for line in release.get("SHA256", "").splitlines():
        if line.strip():
            digest, length, name = line.split()
            hashes[name] = (digest, int(length))
    found = {}
    for architecture in architectures:
        name = f"{COMPONENT}/binary-{architecture}/Packages.xz"
        if name not in hashes:
            raise DebianError(f"the suite {suite} has no packages for {architecture!r}")
        digest, size = hashes[name]
        by_hash = f"{directory}/{os.path.dirname(name)}/by-hash/SHA256/{digest}"
        packed = _get([by_hash, f"{directory}/{name}"], size=size, sha256=digest)
        found[architecture] = parse_packages(lzma.decompress(packed).decode(), archive)
    return found


def _get(urls: list[str], size: int | None = None, sha256: str | None = None) -> bytes:
    out = io.BytesIO()
    try:
        download.download(urls, out, size=size, sha256=sha256)
    except (download.Gone, download.Corrupt, download.Unreachable) as error:
        raise _UnusableMirror(str(error)) from None
    return out.getvalue()


def parse_packages(text: str, archive: str) -> list[IndexEntry]:
    """The entries of a Packages file of the given archive."""
    try:
        return [_entry(paragraph, archive) for paragraph in paragraphs(text)]
    except (KeyError, ValueError) as error:
        raise DebianError(f"a Packages file of {archive} has a bad entry: {error}") from None


def _entry(paragraph: Paragraph, archive: str) -> IndexEntry:
    both = (paragraph.get("Pre-Depends", ""), paragraph.get("Depends", ""))
    return IndexEntry(
        name=paragraph["Package"],
        version=paragraph["Version"],
        architecture=paragraph["Architecture"],
        archive=archive,
        path=paragraph["Filename"],
        size=int(paragraph["Size"]),
        sha256=paragraph["SHA256"],
        depends=", ".join(field for field in both if field),
        provides=paragraph.get("Provides", ""),
    )


class InvalidSignature(Exception):
    """A Release file that the archive's keys did not sign."""


def find_keyring() -> str:
    """The file with the Debian archive's keys; raises DebianError if there is none."""
    named = os.environ.get(KEYRING_VARIABLE)
    for path in (named,) if named else KEYRINGS:
        if os.path.exists(path):
            return path
    raise DebianError(
        f"cannot verify Debian's signature: there is no keyring at {named or KEYRINGS[0]}."
        " Install it (apt-get install debian-archive-keyring), or set"
        f" {KEYRING_VARIABLE} to a keyring file with the Debian archive's keys."
    )


def verify_inrelease(signed: bytes, name: str) -> str:
    """The text inside a clear-signed InRelease file, once its signature is found good.

    Raises InvalidSignature if it is not, DebianError if this machine cannot tell.
    """
    keyring = find_keyring()
    gpgv = shutil.which("gpgv", path=os.environ.get("PATH") or os.defpath)
    if gpgv is None:
        raise DebianError(
            "cannot verify Debian's signature: there is no gpgv on this machine."
            " Install it (apt-get install gpgv)."
        )
    with tempfile.TemporaryDirectory() as directory:
        signed_path = os.path.join(directory, "InRelease")
        text_path = os.path.join(directory, "Release")
        with open(signed_path, "wb") as file:
            file.write(signed)
        command = [gpgv, "--homedir", directory, "--keyring", os.path.abspath(keyring)]
        command += ["--output", text_path, signed_path]
        result = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={"LC_ALL": "C"}
        )
        if result.returncode != 0 or not os.path.exists(text_path):
            reason = result.stderr.decode("utf-8", "replace").strip()
            raise InvalidSignature(f"{name} is not signed by Debian's keys: {reason}")
        with open(text_path, encoding="utf-8") as file:
            return file.read()
