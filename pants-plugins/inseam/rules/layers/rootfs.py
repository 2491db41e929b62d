"""Rules that make the root filesystem of a base of Debian packages, as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import implicitly, rule
from inseam.formats.debian.package import DebianPackage
from inseam.formats.failure import failing_in
from inseam.formats.oci.layer import Layer
from inseam.formats.python.archive import ArchiveLocation
from inseam.formats.rootfs.metadata import (
    ROOTFS_FILE,
    ROOTFS_LAYER,
    PackageFacts,
    parse_rootfs,
)
from inseam.rules.base.base import BasePython, DebianRootRequest, locked_base, platform_of
from inseam.rules.base.debian_root import unpacked_root
from inseam.rules.base.process import run_on
from inseam.rules.layers.layer import StoredLayer, layer_folder
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program


@dataclass(frozen=True)
class RootfsLayer:
    """The layer of a root filesystem."""

    layer: StoredLayer
    """Next to its tar are `rootfs.json`, and `paths.txt` with the package of each file."""
    libraries: frozenset[str]
    """Names of the shared libraries that the dynamic loader finds."""
    left_out_modules: tuple[str, ...]
    """Names of the standard library modules that are left out."""
    left_out_packages: tuple[str, ...]
    """Names of the Debian packages that the list leaves out."""
    release: str
    """Debian's release, such as "bookworm"."""
    timestamp: str
    """Time at which a snapshot archive has the packages, such as "20261101T000000Z"."""
    packages: tuple[DebianPackage, ...]
    """The packages that were unpacked, sorted by name."""
    facts: tuple[PackageFacts, ...]
    """Source, relations and size of each package, by name."""
    archive: ArchiveLocation | None = None
    """The archive with its CPython, if none of the packages contains it."""
    messages: tuple[str, ...] = ()
    """Warnings about packages that are newer than those in the lock."""


@rule(desc="Make a root filesystem", level=LogLevel.DEBUG)
async def rootfs_layer(request: DebianRootRequest) -> RootfsLayer:
    groups = request.groups
    locked = await locked_base(request, **implicitly())
    platform = platform_of(locked.facts, locked.architecture)
    unpacked = await unpacked_root(
        DebianRootRequest(request.address, f"linux/{locked.architecture}", groups), **implicitly()
    )
    with failing_in(locked.base, locked.hint):
        result = await run_on(
            BasePython(locked.base, platform, locked.facts.interpreter, True, groups),
            Program(
                argv=("compile_rootfs", ".", f"out/{layer_folder(ROOTFS_LAYER)}"),
                input=unpacked.digest,
                output="out",
                description=f"Compile the standard library of {locked.base}",
            ),
        )
    content = await file_content(result.digest, f"{layer_folder(ROOTFS_LAYER)}/{ROOTFS_FILE}")
    made = parse_rootfs(content.decode())
    layer = StoredLayer(Layer(ROOTFS_LAYER, made.diff_id, made.size), result.digest)
    return RootfsLayer(
        layer=layer,
        libraries=frozenset(made.libraries),
        left_out_modules=made.left_out_modules,
        left_out_packages=locked.left_out,
        release=locked.release,
        timestamp=locked.timestamp,
        packages=made.packages,
        facts=made.facts,
        archive=locked.archive,
        messages=unpacked.messages,
    )


def rules() -> list[Any]:
    return [*collect_rules()]
