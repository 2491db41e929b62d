"""The bases that come with Inseam: one that no BUILD file declares, and lists of packages."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import Any

from pants.engine.internals.synthetic_targets import SyntheticAddressMaps, SyntheticTargetsRequest
from pants.engine.internals.target_adaptor import TargetAdaptor
from pants.engine.rules import collect_rules
from pants.engine.target import StringField, Target
from pants.util.logging import LogLevel

from inseam.compat import rule
from inseam.formats.debian.lock import refresh_command
from inseam.formats.failure import Failure
from inseam.subsystem import DEFAULT_BASE, InseamSubsystem
from inseam.targets.base import (
    READY_LISTS,
    READY_PREFIX,
    DebianBaseTarget,
    DebianLockField,
    DebianPackagesField,
)

_NAME = DEFAULT_BASE.rpartition(":")[2]
# Where its files would be in the repository; they are read from the distribution instead.
_PACKAGES = f"{_NAME}.ini"
_LOCK = f"{_NAME}.json"
# The packages that confine builds of wheels; not a base.
BUILD_TOOLS = "build-tools"
_OF_DEFAULT = {_PACKAGES: "bookworm.ini", _LOCK: "bookworm.json"}


@dataclass(frozen=True)
class DefaultBaseRequest(SyntheticTargetsRequest):
    """Asks for the default base."""

    path: str = SyntheticTargetsRequest.SINGLE_REQUEST_FOR_ALL_TARGETS


@rule(desc="Add the default base", level=LogLevel.DEBUG)
async def default_base(
    request: DefaultBaseRequest, inseam: InseamSubsystem
) -> SyntheticAddressMaps:
    base = TargetAdaptor(
        DebianBaseTarget.alias,
        name=_NAME,
        packages=_PACKAGES,
        lock=inseam.default_base_lock or _LOCK,
        groups=["init"],
        __description_of_origin__="the default base of Inseam",
    )
    return SyntheticAddressMaps.for_targets_request(request, [(f"BUILD.{_NAME}", (base,))])


def shipped_lock(name: str) -> str:
    """The text of a lock of Debian packages that comes with Inseam."""
    return _read(f"{name}.json").decode()


def _read(name: str) -> bytes:
    content = pkgutil.get_data("inseam", f"default_base/{name}")
    assert content is not None, name
    return content


def _ready(value: str, field: type[StringField], suffix: str) -> bytes:
    """The file that a field names as "inseam:<file>". suffix: that of the file's name."""
    known = [f"{name}{suffix}" for name in READY_LISTS]
    name = value[len(READY_PREFIX) :]
    if name not in known:
        raise Failure(
            f"`{field.alias}` is {value!r}, but only"
            f" {', '.join(READY_PREFIX + one for one in known)} come with Inseam."
        )
    return _read(name)


def is_ready(value: str) -> bool:
    """Whether a field names a list or a lock that comes with Inseam, not a file."""
    return value.startswith(READY_PREFIX)


def shipped_files(target: Target) -> dict[str, bytes]:
    """The list and lock of a `debian_base`, or of its rootfs, by path, if they come with Inseam;
    nothing for a base with its own list, and no lock if the repository has one.

    Raises Failure if no list has the given name.
    """
    is_default = not target.address.spec_path and target.address.target_name == _NAME
    files = {}
    named: tuple[tuple[str, type[StringField], str], ...] = (
        (target[DebianPackagesField].value, DebianPackagesField, ".ini"),
        (target[DebianLockField].value, DebianLockField, ".json"),
    )
    for path, field, suffix in named:
        if is_ready(path):
            files[path] = _ready(path, field, suffix)
        elif is_default and path in _OF_DEFAULT:
            files[path] = _read(_OF_DEFAULT[path])
    return files


def how_to_lock(packages: str, lock: str) -> str:
    """Where the packages of a base come from, and how to lock them again."""
    if lock == _LOCK:
        path = f"lockfiles/{_NAME}.json"
        return (
            "This is the base that comes with Inseam. Upgrade Inseam, or lock its packages in your"
            f" repository: set [inseam].default_base_lock = {path!r} and run:"
            f" {refresh_command(path)}"
        )
    if is_ready(lock):
        path = f"lockfiles/debian-{lock[len(READY_PREFIX) :]}"
        return (
            f"The lock {lock} comes with Inseam. Upgrade Inseam, or lock its packages in your"
            f" repository: set `lock` of the base to {path!r} and run: {refresh_command(path)}"
        )
    shipped = packages == _PACKAGES or is_ready(packages)
    listed = "comes with Inseam" if shipped else f"is {packages}"
    return (
        f"The list of packages {listed}, its lock {lock}. To lock them again:"
        f" {refresh_command(lock)}"
    )


def how_to_add(packages: str, lock: str) -> str:
    """How to add a package to a base."""
    if packages == _PACKAGES:
        return (
            "The list of the base that comes with Inseam cannot be changed: declare a"
            " `debian_base` with a list of your own, and name it in [inseam].base."
        )
    if is_ready(packages):
        return (
            f"The list {packages}, which comes with Inseam, cannot be changed: set `packages` of"
            " the base to a list of your own, and its `lock`."
        )
    return f"Add it to {packages}, then run: {refresh_command(lock)}"


def is_shipped(lock: str) -> bool:
    """Whether a lock comes with the distribution; `generate-lockfiles` leaves it alone."""
    return lock == _LOCK or is_ready(lock)


def is_default_lock(lock: str) -> bool:
    """Whether a lock is the one for the default base that comes with the distribution."""
    return lock == _LOCK


def rules() -> list[Any]:
    return [*collect_rules(), *DefaultBaseRequest.rules()]
