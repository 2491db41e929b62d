"""Rules that find a base and make its root filesystem."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST, AddPrefix, Digest, MergeDigests, PathGlobs
from pants.engine.rules import collect_rules, rule
from pants.engine.target import (
    GeneratedSources,
    GenerateSourcesRequest,
    Target,
    WrappedTargetRequest,
)
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    add_prefix,
    by_name,
    concurrently,
    digest_to_snapshot,
    environment_vars_subset,
    get_digest_contents,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    resolve_target,
    resolve_unparsed_address_inputs,
)
from inseam.plan.platform import Platform
from inseam.program import NETWORK_ENV, InseamError, ProgramRequest, run_program
from inseam.sandbox.debian_control import DebianError
from inseam.sandbox.debian_lock import LockedPackage, check_current, parse_lock, parse_request
from inseam.service import rootfs_folder
from inseam.subsystem import InseamSubsystem
from inseam.target_types import (
    LAYER_FILES,
    DebianGroupsField,
    DebianLockField,
    DebianPackagesField,
    GlibcVersionField,
    InterpreterField,
    PlatformField,
    PythonVersionField,
    RootfsSourcesField,
)

logger = logging.getLogger(__name__)

# What the programs that reach a Debian mirror read of the environment.
FETCH_ENV = ("DEBIAN_MIRROR", "DEBIAN_KEYRING", *NETWORK_ENV)


def lock_name(path: str) -> str:
    """The resolve that the lock file at `path` is for, "debian-bookworm"."""
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def packages_path(target: Target) -> str:
    """The list of packages of a `debian_base` or its rootfs, from the repository's root."""
    return f"{target.address.spec_path}/{target[DebianPackagesField].value}".lstrip("/")


@dataclass(frozen=True)
class BaseRequest:
    """The base with the address `spec`, as the target `wanted_by` names it.

    platform: another one than the base declares, as "linux/arm64"; "" for its own.
    """

    spec: str
    wanted_by: Address
    platform: str = ""


@dataclass(frozen=True)
class Base:
    """What layers have to know of a base: nothing that changes when only its packages do.

    has_init: whether tini is in it; None if nobody knows, as for an image of a registry.
    """

    address: Address
    platform: Platform
    interpreter: str
    has_init: bool | None

    @property
    def minor(self) -> str:
        """CPython's minor version, as "3.11"."""
        return ".".join(map(str, self.platform.minor))


@rule
async def resolve_base(request: BaseRequest) -> Base:
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [request.spec],
            owning_address=request.wanted_by,
            description_of_origin=f"the `base` of {request.wanted_by}",
        ),
        **implicitly(),
    )
    wrapped = await resolve_target(
        WrappedTargetRequest(addresses[0], description_of_origin="a base"), **implicitly()
    )
    base = wrapped.target
    if not base.has_field(InterpreterField):
        raise InseamError(
            f"The base {base.address} of {request.wanted_by} is a `{base.alias}`, but must be a"
            " `debian_base` or `registry_base`."
        )
    major, minor = base[GlibcVersionField].value.split(".")
    return Base(
        base.address,
        Platform(
            architecture=(request.platform or base[PlatformField].value).split("/")[1],
            python=base[PythonVersionField].value,
            glibc=(int(major), int(minor)),
        ),
        base[InterpreterField].value,
        "init" in base[DebianGroupsField].value if base.has_field(DebianGroupsField) else None,
    )


find_base = by_name(resolve_base)


@dataclass(frozen=True)
class DebRequest:
    """One locked Debian package, fetched."""

    package: LockedPackage
    release: str
    minor: str


@dataclass(frozen=True)
class Deb:
    """A digest with the package's file at its root, and what its fetching said."""

    digest: Digest
    messages: str


@rule(desc="Fetch a Debian package", level=LogLevel.DEBUG)
async def fetch_deb(request: DebRequest, inseam: InseamSubsystem) -> Deb:
    names = [*FETCH_ENV, *(("PATH",) if inseam.debian_allow_newer else ())]
    env = await environment_vars_subset(EnvironmentVarsRequest(names), **implicitly())
    package = request.package
    result = await run_program(
        ProgramRequest(
            argv=(
                "fetch_deb",
                *package.fetch_arguments(),
                f"--release={request.release}",
                f"--output=debs/{package.file_name}",
                *(("--allow-newer",) if inseam.debian_allow_newer else ()),
            ),
            input=EMPTY_DIGEST,
            output="debs",
            minor=request.minor,
            description=f"Fetch {package.file_name}",
            env=tuple(sorted(env.items())),
            cacheable=not inseam.debian_allow_newer,
        ),
        **implicitly(),
    )
    return Deb(result.digest, result.messages)


deb = by_name(fetch_deb)


@dataclass(frozen=True)
class RootfsRequest:
    """The root filesystem of the `debian_base` whose `#rootfs` target has this address.

    platform: another one than the base declares; "" for its own.
    """

    address: Address
    platform: str = ""


@dataclass(frozen=True)
class Rootfs:
    """A digest with `rootfs.tar` and `rootfs.json` at its root."""

    digest: Digest


@rule(desc="Make a root filesystem", level=LogLevel.DEBUG)
async def make_rootfs(request: RootfsRequest) -> Rootfs:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a base"), **implicitly()
    )
    target = wrapped.target
    base = target.address.maybe_convert_to_target_generator()
    architecture = (request.platform or target[PlatformField].value).split("/")[1]
    minor = ".".join(target[PythonVersionField].value.split(".")[:2])
    path = target[DebianLockField].value
    listed = packages_path(target)
    contents = await get_digest_contents(await path_globs_to_digest(PathGlobs([path, listed])))
    files = {file.path: file.content.decode() for file in contents}
    if path not in files:
        raise InseamError(
            f"{base}: the lock {path} does not exist. Run: ./pants generate-lockfiles"
            f" --resolve={lock_name(path)}"
        )
    try:
        lock = parse_lock(files[path], path)
        if listed in files:
            check_current(lock, parse_request(files[listed], listed))
        packages = lock.select(architecture, target[DebianGroupsField].value)
    except DebianError as error:
        raise InseamError(f"{base}: {error}") from error
    try:
        debs = await concurrently(
            deb(DebRequest(package, lock.request.release, minor), **implicitly())
            for package in packages
        )
        for fetched in debs:
            if fetched.messages.strip():
                logger.warning("%s: %s", base, fetched.messages.strip())
        result = await run_program(
            ProgramRequest(
                argv=(
                    "rootfs",
                    f"--architecture={architecture}",
                    f"--interpreter={target[InterpreterField].value}",
                    "--out=rootfs",
                    *(package.file_name for package in packages),
                ),
                input=await merge_digests(MergeDigests(fetched.digest for fetched in debs)),
                output="rootfs",
                minor=minor,
                description=f"Unpack {len(packages)} Debian packages for {base}",
            ),
            **implicitly(),
        )
    except InseamError as error:
        raise InseamError(f"{base}: {error}") from error
    return Rootfs(result.digest)


rootfs = by_name(make_rootfs)


class GenerateRootfs(GenerateSourcesRequest):
    input = RootfsSourcesField
    output = LAYER_FILES


@rule(desc="Make a root filesystem for a build context", level=LogLevel.DEBUG)
async def generate_rootfs(request: GenerateRootfs) -> GeneratedSources:
    address = request.protocol_target.address
    made = await rootfs(RootfsRequest(address), **implicitly())
    folder = rootfs_folder(address.maybe_convert_to_target_generator())
    digest = await add_prefix(AddPrefix(made.digest, folder))
    return GeneratedSources(await digest_to_snapshot(digest))


def rules() -> list[Any]:
    return [
        *collect_rules(),
        UnionRule(GenerateSourcesRequest, GenerateRootfs),
    ]
