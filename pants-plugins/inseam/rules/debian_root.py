"""Rules that unpack the Debian packages of a base to a root filesystem, without bytecode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address
from pants.engine.fs import Digest, MergeDigests
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import by_name, concurrently, implicitly, merge_digests
from inseam.formats.failure import Failure
from inseam.rules import debs as deb_rules
from inseam.rules import warnings
from inseam.rules.base import LockedBaseRequest, locked_base
from inseam.rules.debs import DebRequest, deb
from inseam.rules.host import Program, run_on_host
from inseam.rules.warnings import WarningRequest, warn
from inseam.subsystem import InseamSubsystem


@dataclass(frozen=True)
class UnpackedRequest:
    """The packages of the `debian_base` whose `#rootfs` target has this address, for a platform as
    "linux/amd64". groups: of its list, besides those that the base declares."""

    address: Address
    platform: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnpackedRoot:
    """A digest with `rootfs.tar` and `rootfs.json`."""

    digest: Digest


@rule(desc="Unpack Debian packages", level=LogLevel.DEBUG)
async def unpack_root(request: UnpackedRequest, inseam: InseamSubsystem) -> UnpackedRoot:
    locked = await locked_base(
        LockedBaseRequest(request.address, request.platform, request.groups), **implicitly()
    )
    suites = locked.suites if inseam.debian_allow_newer else ()
    timestamp = locked.timestamp if inseam.debian_snapshot else ""
    try:
        debs = await concurrently(
            deb(DebRequest(locked.release, suites, package, timestamp), **implicitly())
            for package in locked.packages
        )
        for fetched in debs:
            if fetched.messages.strip():
                text = f"{locked.base}: {fetched.messages.strip()}"
                await warn(WarningRequest(text), **implicitly())
        result = await run_on_host(
            Program(
                argv=(
                    "rootfs",
                    f"--architecture={locked.architecture}",
                    f"--interpreter={locked.facts.interpreter}",
                    "--out=out",
                    *(f"--user={user}" for user in locked.users),
                    *(package.file_name for package in locked.packages),
                ),
                input=await merge_digests(MergeDigests(fetched.digest for fetched in debs)),
                output="out",
                description=f"Unpack {len(locked.packages)} Debian packages for {locked.base}",
            )
        )
    except Failure as error:
        raise locked.failure(error) from error
    return UnpackedRoot(result.digest)


unpacked_root = by_name(unpack_root)


def rules() -> list[Any]:
    return [*collect_rules(), *warnings.rules(), *deb_rules.rules()]
