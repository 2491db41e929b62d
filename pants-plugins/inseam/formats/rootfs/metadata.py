"""Describes a root filesystem: the format of `rootfs.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from inseam.formats.debian.package import DebianPackage, package_of

# The layer that contains it, and the files next to the layer.
ROOTFS_LAYER = "rootfs"
ROOTFS_FILE = "rootfs.json"
ROOTFS_TAR = f"{ROOTFS_LAYER}.tar"


@dataclass(frozen=True)
class PackageFacts:
    """Facts about an unpacked package from its control file (Debian policy 5.3)."""

    name: str
    source: str
    """Name of the source package that it was built from."""
    source_version: str
    depends: str
    """Pre-Depends and Depends, as relations of one field."""
    size: int
    """Total size in bytes of its files in the image."""
    files: int
    """The number of these files and links."""


@dataclass(frozen=True)
class Rootfs:
    """The description of a root filesystem."""

    diff_id: str
    """OCI image-spec's "Layer DiffID"."""
    size: int
    """Size of the tar in bytes."""
    content_size: int
    """Total bytes of all files and link targets; Size in `docker image inspect`."""
    architecture: str
    interpreter: str
    """Absolute path of the Python interpreter."""
    python_version: str
    """Its version X.Y.Z."""
    glibc_version: str
    """glibc's version X.Y, which limits the manylinux wheels that run; empty without libc6."""
    packages: tuple[DebianPackage, ...]
    """The packages, sorted by name: those in the lock, unless newer ones were allowed."""
    left_out_modules: tuple[str, ...]
    """Modules of the standard library whose shared libraries are missing."""
    libraries: tuple[str, ...]
    """Names of the shared libraries that the dynamic loader finds, sorted."""
    facts: tuple[PackageFacts, ...] = ()
    """Facts about each package, sorted by name."""


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
