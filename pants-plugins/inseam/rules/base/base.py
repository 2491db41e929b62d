"""Rules that find a base, and what its lock says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import PathGlobs
from pants.engine.rules import collect_rules
from pants.engine.target import Target, WrappedTargetRequest

from inseam.compat import (
    get_digest_contents,
    implicitly,
    path_globs_to_digest,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from inseam.formats.cpython import is_free_threaded
from inseam.formats.debian.facts import Facts, check_declared, facts_of, glibc_of
from inseam.formats.debian.lock import check_current, parse_lock, refresh_command
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.request import parse_request
from inseam.formats.debian.suite import Suite
from inseam.formats.failure import Failure, failing_in
from inseam.formats.glibc import parse_glibc
from inseam.formats.python.archive import ArchiveLocation, interpreter_path, parse_location
from inseam.formats.python.standard import ARCHIVE, missing_modules
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.default_base import how_to_lock, is_ready, shipped_files
from inseam.targets.base import (
    BuilderOnlyField,
    DebianGroupsField,
    DebianLockField,
    DebianPackagesField,
    DebianUsersField,
    GlibcVersionField,
    InterpreterField,
    PlatformField,
    PythonArchivesField,
    PythonVersionField,
    RegistryGlibcVersionField,
    RegistryInterpreterField,
    RegistryPythonVersionField,
)


def packages_path(target: Target) -> str:
    """The list of packages of a `debian_base` or its rootfs: a path from the repository's root, or
    the name of a list that comes with Inseam."""
    packages = target[DebianPackagesField].value
    if is_ready(packages):
        return packages
    return f"{target.address.spec_path}/{packages}".lstrip("/")


@dataclass(frozen=True)
class BaseRequest:
    """A base that a target or an option names."""

    spec: str
    """Its address."""
    wanted_by: Address | None
    """The target that names it; None if an option does."""
    platform: str = ""
    """A platform such as "linux/arm64"; "" for the one that the base declares."""
    builder: bool = False
    """Whether it is for building wheels, as opposed to images on top of it."""


@dataclass(frozen=True)
class BasePython:
    """The CPython of a base, on which programs run."""

    address: Address
    """Address of the base."""
    platform: PythonPlatform
    interpreter: str
    """Absolute path in the image."""
    is_debian: bool
    """Whether the base is made of Debian packages."""
    groups: tuple[str, ...] = ()
    """Groups in the list of packages, in addition to those that the base declares."""


@dataclass(frozen=True)
class Base:
    """What layers need to know about a base: nothing that changes if only its packages do."""

    address: Address
    platform: PythonPlatform
    interpreter: str
    """Absolute path in the image."""
    has_init: bool | None
    """Whether it contains tini; None if that is unknown, as for an image from a registry."""
    is_debian: bool
    """Whether it is made of Debian packages."""
    missing_modules: tuple[str, ...] = ()
    """Standard modules that it lacks, of all that any version of CPython has."""

    @property
    def python(self) -> BasePython:
        """Its CPython."""
        return BasePython(self.address, self.platform, self.interpreter, self.is_debian)

    @property
    def python_version(self) -> str:
        """CPython's version without the patch release, such as "3.11"."""
        return self.platform.python_version

    @property
    def oci_platform(self) -> str:
        """The platform of its image, such as "linux/amd64"."""
        return f"linux/{self.platform.architecture}"

    def carries_layers_of(self, other: Base) -> bool:
        """Whether layers that are made for `other` run on this base."""
        return (self.platform, self.interpreter) == (other.platform, other.interpreter)


@dataclass(frozen=True)
class DebianRootRequest:
    """Asks for the root filesystem of a `debian_base`: its lock, its files, or its layer."""

    address: Address
    """Address of the base or of its `#rootfs`."""
    platform: str = ""
    """A platform such as "linux/arm64"; "" for the one that the base declares."""
    groups: tuple[str, ...] = ()
    """Groups in the list of packages, in addition to those that the base declares."""


@dataclass(frozen=True)
class LockedBase:
    """What the lock of a `debian_base` says about one platform."""

    base: Address
    packages_path: str
    """The list of packages: a path from the root of the repository, or `inseam:<file>`."""
    lock_path: str
    """The lock, in the same form."""
    release: str
    """Name of Debian's release, such as "bookworm"."""
    suites: tuple[Suite, ...]
    timestamp: str
    """Time at which a snapshot archive has all packages, such as "20261101T000000Z"."""
    architecture: str
    """Debian's name for it, such as "amd64"."""
    packages: tuple[DebianPackage, ...]
    left_out: tuple[str, ...]
    """Names of packages that the list leaves out, sorted."""
    facts: Facts
    users: tuple[str, ...]
    """The accounts of the base, as "<name>:<uid>" or "<name>:<uid>:<gid>", sorted."""
    archive: ArchiveLocation | None = None
    """The archive with its CPython, if none of the packages contains it."""

    @property
    def hint(self) -> str:
        """What to edit and type if a step that uses the packages fails."""
        return f"({how_to_lock(self.packages_path, self.lock_path)})"


@rule
async def locked_base(request: DebianRootRequest) -> LockedBase:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a base"), **implicitly()
    )
    target = wrapped.target
    base = target.address.maybe_convert_to_target_generator()
    architecture = (request.platform or target[PlatformField].value).split("/")[1]
    path = target[DebianLockField].value
    listed = packages_path(target)
    files = shipped_files(target)
    wanted = [name for name in (path, listed) if name not in files]
    contents = await get_digest_contents(await path_globs_to_digest(PathGlobs(wanted)))
    files.update({file.path: file.content for file in contents})
    if path not in files:
        raise Failure(f"{base}: the lock {path} does not exist. Run: {refresh_command(path)}")
    with failing_in(base, f"({how_to_lock(listed, path)})"):
        texts = {name: _text(name, content) for name, content in files.items()}
        lock = parse_lock(texts[path], path)
        if listed in texts:
            check_current(lock, parse_request(texts[listed], listed))
        groups = (*target[DebianGroupsField].value, *request.groups)
        packages = lock.select(architecture, groups)
        archive = _archive(target, f"linux/{architecture}")
        if archive is not None:
            facts = _archive_facts(target, packages)
        else:
            facts = facts_of(packages, target[InterpreterField].value)
        for field, found in (
            (PythonVersionField, facts.python_version),
            (GlibcVersionField, str(facts.glibc)),
        ):
            check_declared(field.alias, target[field].value, found)
    installed = {package.name for package in packages}
    return LockedBase(
        base=base,
        packages_path=listed,
        lock_path=path,
        release=lock.request.release,
        suites=lock.suites,
        timestamp=lock.timestamp,
        architecture=architecture,
        packages=packages,
        left_out=tuple(sorted(set(lock.request.omit) - installed)),
        facts=facts,
        users=tuple(sorted(map(":".join, (target[DebianUsersField].value or {}).items()))),
        archive=archive,
    )


def _archive(target: Target, platform: str) -> ArchiveLocation | None:
    """The archive with the CPython of a base for a platform, if the base names archives."""
    archives = target.get(PythonArchivesField).value
    if not archives:
        return None
    if platform not in archives:
        raise Failure(
            f"`{PythonArchivesField.alias}` has no archive for {platform}, only for"
            f" {', '.join(archives)}. Add one."
        )
    return parse_location(archives[platform])


def _archive_facts(target: Target, packages: Sequence[DebianPackage]) -> Facts:
    """What a base with archives declares about its CPython, and the glibc of its packages."""
    version = target[PythonVersionField].value
    if version is None:
        raise Failure(
            f"set `{PythonVersionField.alias}` to the full version of the CPython in"
            f" `{PythonArchivesField.alias}`, such as '3.12.8'"
        )
    interpreter = target[InterpreterField].value or interpreter_path(version)
    return Facts(interpreter, version, glibc_of(packages))


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not UTF-8 text: {error}") from None


def platform_of(facts: Facts, architecture: str) -> PythonPlatform:
    """The platform of a base for an architecture."""
    return PythonPlatform(
        architecture,
        facts.python_version,
        facts.glibc,
        free_threaded=is_free_threaded(facts.interpreter),
    )


def _check_kind(base: Target, request: BaseRequest) -> None:
    """Raises Failure for a target that cannot be the base that is requested."""
    if not base.has_field(InterpreterField):
        raise Failure(
            f"The base {base.address} of {request.wanted_by or 'an option'} is a `{base.alias}`."
            " It must be a `debian_base` or a `registry_base`."
        )
    if base.has_field(BuilderOnlyField) and not request.builder:
        raise Failure(
            f"The base {base.address} of {request.wanted_by or 'an option'} is a `{base.alias}`,"
            " which holds compilers. No image starts from it: declare a `debian_base`."
        )
    if request.builder and not base.has_field(DebianLockField):
        raise Failure(
            f"The `builder` {base.address} of {request.wanted_by} is a `{base.alias}`. It must be a"
            " `debian_builder`."
        )


@rule
async def find_base(request: BaseRequest) -> Base:
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [request.spec],
            owning_address=request.wanted_by,
            description_of_origin=f"the base of {request.wanted_by or 'an option'}",
        ),
        **implicitly(),
    )
    wrapped = await resolve_target(
        WrappedTargetRequest(addresses[0], description_of_origin="a base"), **implicitly()
    )
    base = wrapped.target
    _check_kind(base, request)
    if base.has_field(DebianLockField):
        locked = await locked_base(
            DebianRootRequest(base.address, request.platform), **implicitly()
        )
        facts = locked.facts
        packages = tuple(package.name for package in locked.packages)
        has_init = "tini" in packages
        missing = missing_modules(facts.python_version, ARCHIVE if locked.archive else packages)
    else:
        # Required fields of a `registry_base`.
        facts = Facts(
            base[RegistryInterpreterField].value,
            base[RegistryPythonVersionField].value,
            parse_glibc(base[RegistryGlibcVersionField].value),
        )
        has_init = None
        missing = missing_modules(facts.python_version, None)
    architecture = (request.platform or base[PlatformField].value).split("/")[1]
    return Base(
        address=base.address,
        platform=platform_of(facts, architecture),
        interpreter=facts.interpreter,
        has_init=has_init,
        is_debian=base.has_field(DebianGroupsField),
        missing_modules=missing,
    )


def rules() -> list[Any]:
    return [*collect_rules()]
