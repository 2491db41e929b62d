"""Parses names of images (distribution-spec; the grammar of Docker's references)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word

_REFERENCE = re.compile(
    r"(?P<name>(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?/|\[[0-9a-fA-F:]+\](?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:[./]|_{1,2}|-+)[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Reference:
    """An image in a registry: `name:tag`, `name@digest` or `name:tag@digest`."""

    name: str
    tag: str = ""
    digest: str = ""

    @property
    def registry(self) -> str:
        """Host, with a port if there is one; "" for Docker's default registry."""
        first, slash, _ = self.name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            return first
        return ""

    @property
    def loopback(self) -> bool:
        """Whether the registry runs on this machine."""
        host = re.sub(r":\d+\Z", "", self.registry)
        return host in ("localhost", "[::1]") or re.fullmatch(r"127(\.\d+){3}", host) is not None

    def by_digest(self, digest: str) -> str:
        """`name@digest`."""
        return f"{self.name}@{digest}"

    def by_tag(self) -> str:
        """`name:tag`."""
        return f"{self.name}:{self.tag or 'latest'}"


def parse_reference(text: str) -> Reference:
    """Parses the name of an image; raises Failure for anything else."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise Failure(
            f"{foreign_word(text, width=200)} is not an image name. Write, for example,"
            " registry.example/team/app:1.2. Only the tag may contain uppercase letters."
        )
    return Reference(match["name"], match["tag"] or "", match["digest"] or "")


def is_name(text: str) -> bool:
    """Whether a text is the name of a repository without a tag or a digest."""
    match = _REFERENCE.fullmatch(text)
    return match is not None and match["name"] == text
