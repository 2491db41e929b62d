"""Reads the list of a base's Debian packages, which people write."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from typing import Mapping

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.package import ARCHITECTURE, NAME
from inseam.formats.schema import shown

BASE_GROUP = "base"
_RESERVED = ("release", "omit")
_RELEASE = re.compile(r"[a-z][a-z0-9-]*\Z")


@dataclass(frozen=True)
class Request:
    """The content of a list of packages."""

    release: str
    """Code name, for example `bookworm`."""
    architectures: tuple[str, ...]
    """By Debian's names, for example `amd64`."""
    groups: Mapping[str, tuple[str, ...]]
    """Packages of each optional part of the image, by name; `base` is in every image."""
    omit: Mapping[str, str] = field(default_factory=dict)
    """Why each package is left out although others depend on it, by package."""

    def __post_init__(self) -> None:
        if not _RELEASE.match(self.release):
            raise DebianError(
                f"the release must be a code name such as `bookworm`, but is {shown(self.release)}"
            )
        if not self.architectures:
            raise DebianError("there must be at least one architecture, such as `amd64`")
        for architecture in self.architectures:
            if not ARCHITECTURE.match(architecture) or architecture == "all":
                raise DebianError(f"{shown(architecture)} is not the name of an architecture")
        if not self.groups.get(BASE_GROUP):
            raise DebianError(f"the section [{BASE_GROUP}] must name packages")
        for package, reason in self.omit.items():
            if not reason:
                raise DebianError(f"say why {package} is left out: `{package} = reason`")
        listed = (package for names in self.groups.values() for package in names)
        for package in [*self.omit, *listed]:
            if not NAME.match(package):
                raise DebianError(f"{shown(package)} is not the name of a package")


def parse_request(text: str, name: str = "the list of Debian packages") -> Request:
    """Reads a list of packages as a person writes it (the syntax is that of configparser).

    `[release]` has `name` and `architectures`, `[omit]` has `package = reason`, and each other
    section is a group with one package a line. Raises DebianError, naming the file.
    """
    parser = configparser.ConfigParser(
        allow_no_value=True, delimiters=("=",), comment_prefixes=("#",), interpolation=None
    )
    try:
        parser.read_string(text, source=name)
        release = parser["release"]["name"]
        architectures = parser["release"]["architectures"].split()
    except configparser.Error as error:
        raise DebianError(f"{name}: {error}") from None
    except (KeyError, AttributeError):
        raise DebianError(f"{name}: [release] must have `name` and `architectures`") from None
    omit = parser["omit"] if parser.has_section("omit") else {}
    groups = {}
    for section in sorted(set(parser.sections()) - set(_RESERVED)):
        for package, value in parser[section].items():
            if value is not None:
                raise DebianError(
                    f"{name}: [{section}] has the line `{package} = {value}`; write only the name"
                    " of a package on each line"
                )
        groups[section] = tuple(sorted(parser[section]))
    try:
        return Request(
            release or "",
            tuple(sorted(set(architectures))),
            groups,
            {package: reason or "" for package, reason in sorted(omit.items())},
        )
    except DebianError as error:
        raise DebianError(f"{name}: {error}") from None
