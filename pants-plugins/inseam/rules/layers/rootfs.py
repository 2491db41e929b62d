"""Rules that make the root filesystem of a base of Debian packages, as a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import implicitly, rule
from inseam.formats.failure import failing_in
from inseam.formats.oci.layer import Layer
from inseam.formats.rootfs.metadata import ROOTFS_FILE, ROOTFS_LAYER, parse_rootfs
from inseam.rules.base.base import BasePython, LockedBaseRequest, locked_base, platform_of
from inseam.rules.base.debian_root import UnpackedRequest, unpacked_root
from inseam.rules.base.process import run_on
from inseam.rules.layers.layer import StoredLayer, layer_folder
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program


@dataclass(frozen=True)
class RootfsRequest:
    """The root filesystem of the `debian_base` whose `#rootfs` target has this address.

    platform: another one than the base declares; "" for its own. groups: of its list of packages,
    besides those that the base declares.
    """

    address: Address
    platform: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rootfs:
    """The layer of a root filesystem; `rootfs.json` lies beside its tar. libraries: the names of
    the shared libraries that the loader finds. dropped_modules: of the standard library, those
    that were left out. omitted: Debian packages, by name, that the list leaves out."""

    layer: StoredLayer
    libraries: frozenset[str]
    dropped_modules: tuple[str, ...]
    omitted: tuple[str, ...]


@rule(desc="Make a root filesystem", level=LogLevel.DEBUG)
async def rootfs(request: RootfsRequest) -> Rootfs:
    address, groups = request.address, request.groups
    locked = await locked_base(LockedBaseRequest(address, request.platform, groups), **implicitly())
    platform = platform_of(locked.facts, locked.architecture)
    unpacked = await unpacked_root(
        UnpackedRequest(address, f"linux/{locked.architecture}", groups), **implicitly()
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
    return Rootfs(layer, frozenset(made.libraries), made.dropped_modules, locked.omitted)


def rules() -> list[Any]:
    return [*collect_rules()]
