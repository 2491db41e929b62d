"""Describes a base as wheels see it: which tags are compatible, and which markers are true."""

from __future__ import annotations

from dataclasses import dataclass

from packaging import tags

from inseam.formats.elf import MACHINES
from inseam.formats.glibc import GlibcVersion

# PEP 600: the glibc versions that have an older manylinux name.
_LEGACY_MANYLINUX = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_OLDEST_GLIBC = {"x86_64": 5, "aarch64": 17}


@dataclass(frozen=True)
class PythonPlatform:
    """A CPython on Linux with glibc."""

    architecture: str
    """"amd64" or "arm64"."""
    python_full_version: str
    """The full version, as in markers (PEP 508), such as "3.11.2"."""
    glibc: GlibcVersion
    free_threaded: bool = False
    """Whether it was built without the global interpreter lock (PEP 703)."""

    def __str__(self) -> str:
        free = ", free-threaded" if self.free_threaded else ""
        python = f"CPython {self.python_full_version}{free}"
        return f"linux/{self.architecture}, {python}, glibc {self.glibc}"

    @property
    def machine(self) -> str:
        """The architecture as `uname -m` prints it."""
        return MACHINES[self.architecture]

    @property
    def python_version(self) -> str:
        """The interpreter's version without the patch release, such as "3.11"."""
        return ".".join(self.python_full_version.split(".")[:2])

    @property
    def minor(self) -> tuple[int, int]:
        """The same as numbers, such as (3, 11)."""
        major, minor = self.python_version.split(".")
        return int(major), int(minor)

    def tags(self) -> tuple[str, ...]:
        """Compatible wheel tags, best first (PEP 425, PEP 600)."""
        platforms = []
        major, newest = self.glibc
        for minor in range(newest, _OLDEST_GLIBC[self.machine] - 1, -1):
            platforms.append(f"manylinux_{major}_{minor}_{self.machine}")
            legacy = _LEGACY_MANYLINUX.get((major, minor))
            if legacy:
                platforms.append(f"{legacy}_{self.machine}")
        platforms.append(f"linux_{self.machine}")
        interpreter = f"cp{self.minor[0]}{self.minor[1]}"
        abi = f"{interpreter}t" if self.free_threaded else interpreter
        return tuple(
            str(tag)
            for tag in (
                *tags.cpython_tags(self.minor, [abi], platforms),
                *tags.compatible_tags(self.minor, interpreter, platforms),
            )
            # A free-threaded CPython cannot import modules that were built for that ABI.
            if not (self.free_threaded and tag.abi == "abi3")
        )

    def markers(self) -> dict[str, str]:
        """The environment that markers are evaluated in (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python_full_version,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python_full_version,
            "python_version": self.python_version,
            "sys_platform": "linux",
        }
