"""Describes a Debian package exactly: its location and its content."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import Mapping

from inseam.formats.debian.archive import ARCHIVES
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.version import sort_key
from inseam.formats.files import load_json
from inseam.formats.schema import shown
from inseam.formats.tar import LONGEST_NAME

# Debian policy 5.6.1 and 5.6.8; `all` is an architecture, too.
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_PATH = re.compile(r"pool(/[A-Za-z0-9+.:~_%-]+)+\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
LARGEST = 1 << 40  # largest package in bytes


@dataclass(frozen=True)
class DebianPackage:
    """One version of a package for one architecture. Invalid fields raise `DebianError`, so file
    names can be made from them.
    """

    name: str
    version: str
    architecture: str
    """As in its control file, possibly `all`."""
    archive: str
    """`debian` or `debian-security`."""
    path: str
    """Path below the archive's base URL, such as `pool/main/...`."""
    size: int
    """Size of the .deb in bytes."""
    sha256: str
    """sha256 of the .deb in hexadecimal."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            wanted = int if field.name == "size" else str
            if not isinstance(value, wanted) or isinstance(value, bool):
                kind = "a whole number" if wanted is int else "a string"
                raise DebianError(f"`{field.name}` must be {kind}, but is {shown(value)}")
        if not NAME.match(self.name):
            raise DebianError(f"`name` must be the name of a package, but is {shown(self.name)}")
        sort_key(self.version)
        if not ARCHITECTURE.match(self.architecture):
            raise DebianError(
                "`architecture` must be the name of an architecture, but is"
                f" {shown(self.architecture)}"
            )
        if self.archive not in ARCHIVES:
            raise DebianError(
                f"`archive` must be {' or '.join(ARCHIVES)}, but is {shown(self.archive)}"
            )
        if not _PATH.match(self.path) or {".", ".."}.intersection(self.path.split("/")):
            raise DebianError(f"`path` must be a path below pool/, but is {shown(self.path)}")
        if not 0 <= self.size <= LARGEST:
            raise DebianError(f"`size` must be from 0 to {LARGEST} bytes, but is {self.size}")
        if len(self.file_name) > LONGEST_NAME:
            raise DebianError(
                f"`name`, `version` and `architecture` are longer than the {LONGEST_NAME}"
                f" characters of the name of a file: {shown(self.file_name)}"
            )
        if not _SHA256.match(self.sha256):
            raise DebianError(
                f"`sha256` must be 64 hexadecimal digits, but is {shown(self.sha256)}"
            )

    def __str__(self) -> str:
        return f"Debian package {self.name} {self.version} ({self.architecture})"

    @property
    def file_name(self) -> str:
        """The file name in the pool: name_version_architecture.deb."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


def package_fields(package: DebianPackage) -> dict[str, object]:
    """The package as fields of JSON, in the order of the class."""
    return {field.name: getattr(package, field.name) for field in fields(package)}


def package_of(value: object, where: str) -> DebianPackage:
    """The package that JSON fields describe; other fields are ignored.

    where: what an error names, for example the file and the position in it.
    """
    if not isinstance(value, Mapping):
        raise DebianError(f"{where} must describe a package, but is {shown(value)}")
    for field in fields(DebianPackage):
        if field.name not in value:
            raise DebianError(f"{where} has no `{field.name}`")
    try:
        return DebianPackage(**{f.name: value[f.name] for f in fields(DebianPackage)})
    except DebianError as error:
        name = value["name"]
        named = f" ({name})" if isinstance(name, str) and NAME.match(name) else ""
        raise DebianError(f"{where}{named}: {error}") from None


def package_args(package: DebianPackage) -> tuple[str, ...]:
    """The package as options of a program, one per field, such as `--name=hello`."""
    return tuple(f"--{name}={value}" for name, value in package_fields(package).items())


def dump_package(package: DebianPackage) -> str:
    """The package as one line of JSON."""
    return json.dumps(package_fields(package))


def load_package(text: str, where: str = "the package") -> DebianPackage:
    """Reads what `dump_package` writes."""
    try:
        value = load_json(text)
    except ValueError as error:
        raise DebianError(f"{where} is not JSON: {error}") from None
    return package_of(value, where)
