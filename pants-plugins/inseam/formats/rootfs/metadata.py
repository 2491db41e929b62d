"""Describes a root filesystem: the form of `rootfs.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from inseam.formats.debian.package import DebianPackage, package_of

# The layer that holds it, and what lies beside that.
ROOTFS_LAYER = "rootfs"
ROOTFS_FILE = "rootfs.json"
ROOTFS_TAR = f"{ROOTFS_LAYER}.tar"


@dataclass(frozen=True)
class PackageFacts:
    """What an unpacked package is, by its control file (Debian policy 5.3)."""

    name: str
    source: str
    """Name of the source package that it was built from."""
    source_version: str
    depends: str
    """Pre-Depends and Depends, as relations of one field."""
    size: int
    """Bytes of its files in the image."""
    files: int
    """How many files and links that are."""


@dataclass(frozen=True)
class Rootfs:
    """What a root filesystem is."""

    diff_id: str
    """OCI image-spec's "Layer DiffID"."""
    size: int
    """Bytes of the tar."""
    content_size: int
    """Bytes of all files and link targets, what `docker image inspect` calls Size."""
    architecture: str
    interpreter: str
    """Absolute path of the Python interpreter."""
    python_version: str
    """Its X.Y.Z."""
    glibc_version: str
    """X.Y, which bounds the manylinux wheels that run; empty without libc6."""
    packages: tuple[DebianPackage, ...]
    """By name; what was taken, which is what the lock says unless a newer one was allowed."""
    left_out_modules: tuple[str, ...]
    """Of the standard library, those whose shared libraries are not there."""
    libraries: tuple[str, ...]
    """The names of the shared libraries that the loader finds, sorted."""
    facts: tuple[PackageFacts, ...] = ()
    """Of each package, by name."""


def dump_rootfs(rootfs: Rootfs) -> str:
    """The text of rootfs.json."""
    return json.dumps(asdict(rootfs), indent=2) + "\n"


def parse_rootfs(text: str) -> Rootfs:
    """Reads the text of rootfs.json."""
    fields = json.loads(text)
    fields["packages"] = tuple(package_of(entry, ROOTFS_FILE) for entry in fields["packages"])
    fields["facts"] = tuple(PackageFacts(**entry) for entry in fields.get("facts", ()))
    for name in ("left_out_modules", "libraries"):
        fields[name] = tuple(fields[name])
    return Rootfs(**fields)
