"""Finds the Debian mirrors that are configured on this machine."""

from __future__ import annotations

import glob
import os
import posixpath
import re
import sys
from dataclasses import dataclass
from typing import Iterable, Iterator, Mapping, NamedTuple, Sequence

from inseam.formats.debian.archive import MAIN_ARCHIVE, SECURITY_ARCHIVE
from inseam.formats.debian.control import DebianError, paragraphs

MIRROR_VARIABLE = "DEBIAN_MIRROR"
DEBIAN_KEYS = "debian-archive"  # part of the names of keyrings with Debian's own keys
APT_DIRECTORY = "/etc/apt"

_SUITE = re.compile(
    r"(oldoldstable|oldstable|stable|testing|buster|bullseye|bookworm|trixie|forky|duke|sid)"
    r"(-updates|-security|/updates|-backports|-proposed-updates)?/?\Z"
)


_ONE_LINE = re.compile(
    r"\s*deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)"
)


@dataclass(frozen=True)
class Mirrors:
    """Base URLs, best first, by archive: MAIN_ARCHIVE and SECURITY_ARCHIVE."""

    urls: Mapping[str, tuple[str, ...]]
    source: str
    """Where they were configured, for error messages."""

    def of(self, archive: str) -> tuple[str, ...]:
        """The base URLs of an archive; raises DebianError if there is none."""
        found = self.urls.get(archive, ())
        if not found:
            raise DebianError(
                f"no mirror of the {archive} archive is known from {self.source}: set"
                f" {MIRROR_VARIABLE} to the URL of one, for example"
                f" {MIRROR_VARIABLE}=https://mirror.example/debian (several: separate by spaces)"
            )
        return found


def find_mirrors(environment: Mapping[str, str], apt_directory: str = APT_DIRECTORY) -> Mirrors:
    """The mirrors in DEBIAN_MIRROR if that is set, otherwise in apt's sources.

    A URL in DEBIAN_MIRROR names either the main archive, with `debian` as a segment of its path
    (the security archive then has `debian-security` instead), or a directory that contains both
    `debian` and `debian-security`.
    """
    named = environment.get(MIRROR_VARIABLE, "").split()
    urls: dict[str, list[str]] = {MAIN_ARCHIVE: [], SECURITY_ARCHIVE: []}
    if named:
        for url in named:
            main, security = _archives_of(url)
            urls[MAIN_ARCHIVE].append(main)
            urls[SECURITY_ARCHIVE].append(security)
        source = MIRROR_VARIABLE
    else:
        for url, suite in _apt_entries(apt_directory):
            archive = SECURITY_ARCHIVE if _is_security(suite) else MAIN_ARCHIVE
            if url not in urls[archive]:
                urls[archive].append(url)
        if not urls[SECURITY_ARCHIVE]:
            urls[SECURITY_ARCHIVE] = [_archives_of(url)[1] for url in urls[MAIN_ARCHIVE]]
        for archive, found in urls.items():
            found.sort(key=lambda url: posixpath.basename(url) != archive)
        source = "apt's sources"
    return Mirrors({archive: tuple(found) for archive, found in urls.items()}, source)


def _archives_of(url: str) -> tuple[str, str]:
    url = url.rstrip("/")
    segments = url.split("/")
    if MAIN_ARCHIVE not in segments[3:]:
        return f"{url}/{MAIN_ARCHIVE}", f"{url}/{SECURITY_ARCHIVE}"
    last = len(segments) - 1 - segments[::-1].index(MAIN_ARCHIVE)
    return url, "/".join([*segments[:last], SECURITY_ARCHIVE, *segments[last + 1 :]])


def _is_security(suite: str) -> bool:
    return "-security" in suite or "/updates" in suite


def _apt_entries(apt_directory: str) -> Iterator[tuple[str, str]]:
    """(URL, suite) of each enabled entry in sources.list(5) that names one of Debian's suites.

    Other archives may have suites named `stable` or `bookworm`, but not Debian's keyring.
    """
    names = [
        os.path.join(apt_directory, "sources.list"),
        *sorted(glob.glob(os.path.join(apt_directory, "sources.list.d", "*"))),
    ]
    for name in names:
        try:
            with open(name, encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        entries: Iterable[_Entry] = ()
        if name.endswith(".sources"):
            entries = _deb822_entries(text, name)
        elif name.endswith(".list"):
            entries = _one_line_entries(text)
        for entry in entries:
            if entry.signed_by and DEBIAN_KEYS not in entry.signed_by:
                continue
            for suite in entry.suites:
                if _SUITE.match(suite) and "main" in entry.components:
                    yield from ((url, suite) for uri in entry.uris for url in _plain_urls(uri))


class _Entry(NamedTuple):
    uris: Sequence[str]
    suites: Sequence[str]
    components: Sequence[str]
    signed_by: str


def _deb822_entries(text: str, name: str) -> Iterator[_Entry]:
    try:
        found = list(paragraphs(text))
    except DebianError as error:
        raise DebianError(f"{name}: {error}; or set {MIRROR_VARIABLE}") from None
    for paragraph in found:
        fields = {key.lower(): value.split() for key, value in paragraph.items()}
        enabled = fields.get("enabled", ["yes"])[:1] != ["no"]
        if enabled and "deb" in fields.get("types", []):
            yield _Entry(
                fields.get("uris", []),
                fields.get("suites", []),
                fields.get("components", []),
                " ".join(fields.get("signed-by", [])),
            )


def _one_line_entries(text: str) -> Iterator[_Entry]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0])
        if match:
            signed_by = re.search(r"signed-by=(\S+)", match["options"] or "")
            yield _Entry(
                [match["uri"]],
                [match["suite"]],
                match["components"].split(),
                signed_by[1] if signed_by else "",
            )


def _plain_urls(uri: str) -> Iterator[str]:
    """The URLs that an apt URI stands for; `mirror+file:` names a file with one URL per line."""
    scheme, _, rest = uri.partition(":")
    if scheme in ("http", "https", "file"):
        yield uri.rstrip("/")
    elif scheme == "mirror+file":
        try:
            with open(rest, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            return
        for line in lines:
            words = line.partition("#")[0].split()
            if words:
                yield from _plain_urls(words[0])


def warn(text: str) -> None:
    """Prints a warning to stderr."""
    print(f"WARNING: {text}", file=sys.stderr)
