"""Rules that fetch locked Debian packages: vendored ones, from mirrors, from a snapshot archive."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST, Digest, PathGlobs
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import environment_vars_subset, implicitly, path_globs_to_digest, rule
from inseam.formats.debian.package import DebianPackage, package_args
from inseam.formats.debian.sources import vendored_path
from inseam.formats.debian.suite import Suite
from inseam.formats.names import relative_path
from inseam.rules.programs.host import NETWORK_ENV, Program, run_on_host
from inseam.subsystem import InseamSubsystem

# The environment variables that programs which contact a Debian mirror read.
FETCH_ENV = ("DEBIAN_MIRROR", "DEBIAN_KEYRING", *NETWORK_ENV)


@dataclass(frozen=True)
class DebRequest:
    """Asks for one locked Debian package to be fetched."""

    release: str
    suites: tuple[Suite, ...]
    package: DebianPackage
    timestamp: str
    """Of the snapshot that has it; "" not to use a snapshot archive."""


@dataclass(frozen=True)
class Deb:
    """A digest with the package's file, the package, and the warnings that fetching it gave."""

    digest: Digest
    messages: str


def vendor_folder(inseam: InseamSubsystem) -> str:
    """The folder of vendored packages, from the root of the repository; "" if it is not in it."""
    location: str = inseam.debian_vendor or ""
    if not location or "://" in location or posixpath.isabs(location):
        return ""
    return relative_path(location, "[inseam].debian_vendor")


async def _vendored(package: DebianPackage, inseam: InseamSubsystem) -> tuple[Digest, list[str]]:
    """The vendored package, if the repository has it, and the arguments that name its place."""
    folder = vendor_folder(inseam)
    if not folder:
        location = inseam.debian_vendor
        return EMPTY_DIGEST, [f"--vendor={location}"] if location else []
    found = await path_globs_to_digest(PathGlobs([f"{folder}/{vendored_path(package)}"]))
    return found, [f"--vendor={folder}"] if found != EMPTY_DIGEST else []


def snapshot_args(timestamp: str, inseam: InseamSubsystem) -> tuple[str, ...]:
    """The arguments that tell programs about the snapshot archive, if one is configured."""
    if not inseam.snapshot or not timestamp:
        return ()
    return (f"--snapshot={inseam.snapshot}", f"--timestamp={timestamp}")


def trust_args(inseam: InseamSubsystem) -> tuple[str, ...]:
    """The arguments that tell programs whether they may use expired indexes."""
    return ("--allow-expired",) if inseam.debian_allow_expired else ()


def _newer(request: DebRequest, inseam: InseamSubsystem) -> tuple[str, ...]:
    return (
        "--allow-newer",
        *trust_args(inseam),
        *(f"--known={suite.name}={suite.date}" for suite in request.suites),
    )


@rule(desc="Fetch a Debian package", level=LogLevel.DEBUG)
async def deb(request: DebRequest, inseam: InseamSubsystem) -> Deb:
    names = [*FETCH_ENV, *(("PATH",) if inseam.debian_allow_newer else ())]
    env = await environment_vars_subset(EnvironmentVarsRequest(names), **implicitly())
    package = request.package
    vendored, vendor_args = await _vendored(package, inseam)
    result = await run_on_host(
        Program(
            argv=(
                "fetch_deb",
                *package_args(package),
                f"--release={request.release}",
                "--out=debs",
                *vendor_args,
                *snapshot_args(request.timestamp, inseam),
                *(_newer(request, inseam) if inseam.debian_allow_newer else ()),
            ),
            input=vendored,
            output="debs",
            description=f"Fetch {package.file_name}",
            env=tuple(sorted(env.items())),
            cacheable=not inseam.debian_allow_newer,
        )
    )
    return Deb(result.digest, result.messages)


def rules() -> list[Any]:
    return [*collect_rules()]
