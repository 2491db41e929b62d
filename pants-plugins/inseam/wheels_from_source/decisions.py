"""Checks built wheels, and says what to do about distributions that could not be built."""

from __future__ import annotations

from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word, plain
from inseam.plan.artifacts import LockedCheckout, LockedDirectory, LockedSource
from inseam.plan.platform import PythonPlatform

# Variables that set the version, for tools that would otherwise ask a version control system.
_VERSION_VARIABLES = (
    "PBR_VERSION",
    "PDM_BUILD_SCM_VERSION",
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "VCS_VERSIONING_PRETEND_VERSION",
)


def version_variables(source: LockedSource) -> dict[str, str]:
    """The environment variables that tell backends the locked version, for sources that do not
    contain it in a file, as sdists do.
    """
    if not isinstance(source, (LockedCheckout, LockedDirectory)) or not source.version:
        return {}
    return {
        **{name: source.version for name in _VERSION_VARIABLES},
        "POETRY_DYNAMIC_VERSIONING_BYPASS": source.version,
    }


class Built(NamedTuple):
    """The metadata of a built wheel."""

    filename: str
    name: str
    """From its METADATA, like the next two."""
    version: str
    requires: tuple[str, ...]


def check_built(
    source: LockedSource, built: Built, platform: PythonPlatform, *, native: bool
) -> None:
    """Raises Failure unless a built wheel matches what the lock says about its source.

    native: whether it was built with compilers; otherwise, it must run on every platform.
    """
    filename, name, version, requires = built
    what = f"{source.origin} was built to {foreign_word(filename)}"
    try:
        same = not source.version or Version(version) == Version(source.version)
        file_name, file_version, _, tags = parse_wheel_filename(filename)
    except (InvalidVersion, ValueError) as error:
        raise Failure(f"{what}, but {plain(str(error))}") from None
    if not same or canonicalize_name(name) != source.name or file_name != source.name:
        raise Failure(
            f"{what}, which says that it is {plain(name)} {plain(version)}, but the lock has"
            f" {source.name} {source.version}. Lock it again, or set the variable that gives its"
            " version in the `env` of a `wheel_from_source`."
        )
    # If the lock does not say what a distribution requires, the wheel decides.
    known = source.requires
    locked = {_name(text) for text in known or ()}
    for text in requires if known is not None else ():
        requirement = _requirement(text)
        needed = requirement.marker is None or requirement.marker.evaluate(
            {**platform.markers(), "extra": ""}
        )
        if needed and canonicalize_name(requirement.name) not in locked:
            raise Failure(
                f"{what}, which requires {foreign_word(text)}, but by the lock {source.name} does"
                " not. Lock it again."
            )
    if not native and any(tag.abi != "none" or tag.platform != "any" for tag in tags):
        raise Failure(
            f"{what}, which is for one platform only, though no compiler was there."
            f" {declare_hint(source)}"
        )
    if native and not {str(tag) for tag in tags} & set(platform.tags()):
        raise Failure(f"{what}, which does not run on {platform}.")


def _name(text: str) -> str:
    return canonicalize_name(_requirement(text).name)


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise Failure(f"{foreign_word(text)} is not a requirement: {plain(str(error))}") from None


def declare_hint(source: LockedSource) -> str:
    """What to type for a distribution that needs more than Python to be built."""
    return (
        "If it needs a compiler or libraries, say so in a BUILD file:"
        f' wheel_from_source(name="{source.name}", distribution="{source.name}",'
        ' builder="//docker/builder:debian")'
    )


def missing_requirement(
    source: LockedSource, requirement: str, why: str, resolve: str, lock: str
) -> str:
    """What to type if the lock of build requirements does not contain what a distribution needs.

    resolve: that of the lock; "" for the lock that comes with Inseam.
    """
    line = foreign_word(requirement)
    text = f"{source.name} {source.version} needs {line} to be built, but {lock} {why}."
    if resolve:
        return (
            f'{text} Add the line {line} to the requirements of the resolve "{resolve}",'
            f" then run: ./pants generate-lockfiles --resolve={resolve}"
        )
    return (
        f"{text} Make a resolve of your own for what builds need: set"
        ' [python.resolves] build = "lockfiles/build.lock" and [inseam] build_resolve = "build",'
        f' add the line {line} to the requirements of the resolve "build", then run:'
        " ./pants generate-lockfiles --resolve=build"
    )
