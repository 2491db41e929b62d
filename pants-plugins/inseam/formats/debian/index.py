"""Reads the signed package index of a Debian release from its mirrors."""

from __future__ import annotations

import io
import lzma
import os
from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence

from inseam.formats import download
from inseam.formats.debian import mirror as debian_mirror
from inseam.formats.debian.control import DebianError, Paragraph, paragraphs
from inseam.formats.debian.mirror import Mirrors
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.release import Trust, Unusable, read_inrelease
from inseam.formats.debian.suite import Suite, WantedSuite, suites_of
from inseam.formats.debian.version import sort_key
from inseam.formats.foreign_text import foreign_word
from inseam.formats.numbers import whole_number
from inseam.formats.xz import XzFile

COMPONENT = "main"
LARGEST_INRELEASE = 16 << 20  # bytes of an InRelease file; Debian's have less than one MiB
LARGEST_PACKAGES = 256 << 20  # bytes of an uncompressed Packages file; Debian's have about 60 MB
_FIELDS = ("Package", "Version", "Architecture", "Filename", "Size", "SHA256")


@dataclass(frozen=True)
class IndexEntry:
    """One package, as described in a Packages index."""

    package: DebianPackage
    depends: str = ""
    """Its Pre-Depends and Depends fields, joined by a comma."""
    provides: str = ""
    """Its Provides field."""
    section: str = ""
    """Its section, `libs` for shared libraries (policy 2.4)."""
    suite: str = ""
    """The suite whose index lists it."""

    @property
    def name(self) -> str:
        return self.package.name

    @property
    def version(self) -> str:
        return self.package.version


@dataclass(frozen=True)
class Index:
    """The packages of a release."""

    packages: Mapping[str, Sequence[IndexEntry]]
    """All packages of a release by architecture, including those with `Architecture: all`."""
    suites: tuple[Suite, ...]
    """The suites whose indexes list them."""


def read_release(
    mirrors: Mirrors, release: str, architectures: Iterable[str], trust: Trust
) -> Index:
    """All packages of a release, including its updates and security fixes.

    Raises DebianError if a mirror cannot be reached, or if it serves files that the archive did not
    sign or that `trust` does not accept.
    """
    wanted = list(architectures)
    packages: dict[str, list[IndexEntry]] = {architecture: [] for architecture in wanted}
    suites = []
    for suite in suites_of(release):
        found = _read_suite(mirrors.of(suite.archive), suite, wanted, trust)
        if found is None:
            debian_mirror.warn(f"no mirror has the suite {suite.name}; packages are taken without")
            continue
        suites.append(found.suites[0])
        for architecture, entries in found.packages.items():
            packages[architecture].extend(entries)
    return Index(packages, tuple(suites))


def newest(entries: Iterable[IndexEntry]) -> dict[str, IndexEntry]:
    """Maps each name to the entry with the highest version; of equal versions, the first."""
    best: dict[str, IndexEntry] = {}
    for entry in entries:
        known = best.get(entry.name)
        if known is None or sort_key(entry.version) > sort_key(known.version):
            best[entry.name] = entry
    return best


def _read_suite(
    bases: Iterable[str], suite: WantedSuite, architectures: list[str], trust: Trust
) -> Index | None:
    """Reads a suite from the first mirror that has all of it, signed by the archive.

    Returns None if all mirrors answer that there is no such suite, and it is not required.
    """
    failures = []
    missing = not suite.required and suite.name not in trust.known
    for base in bases:
        try:
            return _read_suite_of(base, suite, architectures, trust)
        except download.Gone as error:
            failures.append(str(error))
        except Unusable as error:
            failures.append(str(error))
            missing = False
    if missing:
        return None
    raise DebianError(
        f"no mirror serves the suite {suite.name} as Debian signed it:\n  "
        + "\n  ".join(failures)
        + f"\nCheck the network, or set {debian_mirror.MIRROR_VARIABLE} to another mirror. To"
        " accept an index whose dates are wrong, set [inseam].debian_allow_expired."
    )


def _read_suite_of(base: str, suite: WantedSuite, architectures: list[str], trust: Trust) -> Index:
    directory = f"{base}/dists/{suite.name}"
    url = f"{directory}/InRelease"
    release = read_inrelease(_get([url], LARGEST_INRELEASE), url, suite, trust)
    found = {}
    for architecture in architectures:
        name = f"{COMPONENT}/binary-{architecture}/Packages.xz"
        if name not in release.hashes:
            raise DebianError(f"the suite {suite.name} has no packages for {architecture!r}")
        digest, size = release.hashes[name]
        by_hash = f"{directory}/{os.path.dirname(name)}/by-hash/SHA256/{digest}"
        try:
            packed = _get([by_hash, f"{directory}/{name}"], size, size=size, sha256=digest)
        except download.Gone as error:
            raise Unusable(str(error)) from None
        try:
            text = _unpacked(packed).decode()
        except (lzma.LZMAError, EOFError, ValueError) as error:
            raise Unusable(f"{directory}/{name} is signed, but malformed: {error}") from None
        found[architecture] = parse_packages(text, suite.archive, suite.name)
    return Index(found, (release.suite,))


def _unpacked(packed: bytes) -> bytes:
    with XzFile(io.BytesIO(packed)) as file:
        found = file.read(LARGEST_PACKAGES + 1)
    if len(found) > LARGEST_PACKAGES:
        raise ValueError(f"it unpacks to more than {LARGEST_PACKAGES} bytes")
    return found


def _get(
    urls: list[str], largest: int, *, size: int | None = None, sha256: str | None = None
) -> bytes:
    """The content of the file at one of the URLs; raises Gone or Unusable."""
    out = io.BytesIO()
    try:
        download.download(urls, out, size=size, sha256=sha256, largest=largest)
    except (download.Corrupt, download.Unreachable) as error:
        raise Unusable(str(error)) from None
    return out.getvalue()


def parse_packages(text: str, archive: str, suite: str = "") -> list[IndexEntry]:
    """The entries of a Packages file of the given archive and suite."""
    try:
        return [_entry(paragraph, archive, suite) for paragraph in paragraphs(text)]
    except DebianError as error:
        raise DebianError(f"a Packages file of {archive} has a bad entry: {error}") from None


def _entry(paragraph: Paragraph, archive: str, suite: str) -> IndexEntry:
    name = foreign_word(paragraph.get("Package", ""))
    missing = next((field for field in _FIELDS if field not in paragraph), None)
    if missing:
        raise DebianError(f"{name} has no {missing}")
    size = whole_number(paragraph["Size"])
    if size is None:
        raise DebianError(f"the Size of {name} is {foreign_word(paragraph['Size'])}")
    both = (paragraph.get("Pre-Depends", ""), paragraph.get("Depends", ""))
    return IndexEntry(
        DebianPackage(
            name=paragraph["Package"],
            version=paragraph["Version"],
            architecture=paragraph["Architecture"],
            archive=archive,
            path=paragraph["Filename"],
            size=size,
            sha256=paragraph["SHA256"],
        ),
        depends=", ".join(field for field in both if field),
        provides=paragraph.get("Provides", ""),
        section=paragraph.get("Section", ""),
        suite=suite,
    )
