"""The base that comes with Inseam: a `debian_base` that no BUILD file declares."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import Any

from pants.engine.internals.synthetic_targets import SyntheticAddressMaps, SyntheticTargetsRequest
from pants.engine.internals.target_adaptor import TargetAdaptor
from pants.engine.rules import collect_rules, rule
from pants.engine.target import Target
from pants.util.logging import LogLevel

from inseam.formats.debian.lock import refresh_command
from inseam.subsystem import DEFAULT_BASE, InseamSubsystem
from inseam.targets.base import DebianBaseTarget, DebianLockField, DebianPackagesField

_NAME = DEFAULT_BASE.rpartition(":")[2]
# Where its files would lie in the repository; they are read from the distribution instead.
_PACKAGES = f"{_NAME}.ini"
_LOCK = f"{_NAME}.json"
_SHIPPED = {_PACKAGES: "default_base/packages.ini", _LOCK: "default_base/lock.json"}


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


def shipped_files(target: Target) -> dict[str, bytes]:
    """List and lock of the default base, or of its rootfs, by path; nothing for other bases, and
    no lock if the repository has its own."""
    if target.address.spec_path or target.address.target_name != _NAME:
        return {}
    files = {}
    for path in (target[DebianPackagesField].value, target[DebianLockField].value):
        if path in _SHIPPED:
            content = pkgutil.get_data("inseam", _SHIPPED[path])
            assert content is not None
            files[path] = content
    return files


def how_to_lock(packages: str, lock: str) -> str:
    """Where the packages of a base come from, and what to do to lock them again."""
    if lock == _LOCK:
        path = f"lockfiles/{_NAME}.json"
        return (
            "This is the base that comes with Inseam. Upgrade Inseam, or lock its packages in your"
            f" repository: set [inseam].default_base_lock = {path!r} and run:"
            f" {refresh_command(path)}"
        )
    listed = "comes with Inseam" if packages == _PACKAGES else f"is {packages}"
    return (
        f"The list of packages {listed}, its lock {lock}. To lock them again:"
        f" {refresh_command(lock)}"
    )


def how_to_add(packages: str, lock: str) -> str:
    """What to do to add a package to a base."""
    if packages == _PACKAGES:
        return (
            "The list of the base that comes with Inseam cannot be changed: declare a"
            " `debian_base` with a list of your own, and name it in [inseam].base."
        )
    return f"Add it to {packages}, then run: {refresh_command(lock)}"


def is_shipped(lock: str) -> bool:
    """Whether a lock is that of the distribution, which `generate-lockfiles` leaves alone."""
    return lock == _LOCK


def rules() -> list[Any]:
    return [*collect_rules(), *DefaultBaseRequest.rules()]
