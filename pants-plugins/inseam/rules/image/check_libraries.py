"""Rules that find shared libraries that are missing from an image when it is packaged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST
from pants.engine.rules import collect_rules
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from inseam.compat import (
    concurrently,
    environment_vars_subset,
    get_digest_contents,
    implicitly,
    rule,
)
from inseam.formats.debian.libraries import PACKAGES_FILE, package_names
from inseam.formats.failure import Failure
from inseam.formats.python.libraries import LIBRARIES, load_libraries
from inseam.plan.findings import Finding, FindingKind, Severity
from inseam.plan.libraries import describe_missing
from inseam.plan.libraries import missing_libraries as find_missing
from inseam.plan.runtime_libraries import RUNTIME_LIBRARIES
from inseam.rules.base.base import Base, DebianRootRequest, locked_base
from inseam.rules.base.debs import FETCH_ENV, trust_args
from inseam.rules.base.default_base import how_to_add
from inseam.rules.image.checks import ImageCheckRequest, ImageFindings
from inseam.rules.layers.layer import StoredLayer, only_file
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program, run_on_host
from inseam.subsystem import InseamSubsystem


@dataclass(frozen=True)
class LikelyPackagesRequest:
    """Asks for the Debian packages that contain shared libraries, for a base."""

    base: Address
    platform: str
    libraries: tuple[str, ...]
    """The libraries' names, sorted."""


@dataclass(frozen=True)
class LikelyPackages:
    """The Debian packages that contain shared libraries."""

    packages: tuple[tuple[str, str], ...]
    """Pairs of library and package name, for the libraries whose package is known."""
    hint: str
    """How to add a package to the base."""


@rule(desc="Find the Debian packages of libraries", level=LogLevel.DEBUG)
async def likely_packages(
    request: LikelyPackagesRequest, inseam: InseamSubsystem
) -> LikelyPackages:
    locked = await locked_base(DebianRootRequest(request.base, request.platform), **implicitly())
    hint = how_to_add(locked.packages_path, locked.lock_path)
    env = await environment_vars_subset(
        EnvironmentVarsRequest([*FETCH_ENV, "PATH"]), **implicitly()
    )
    try:
        result = await run_on_host(
            Program(
                argv=(
                    "find_packages",
                    f"--release={locked.release}",
                    f"--architecture={locked.architecture}",
                    "--out=found",
                    *trust_args(inseam),
                    *request.libraries,
                ),
                input=EMPTY_DIGEST,
                output="found",
                description=f"Find the packages of {', '.join(request.libraries)}",
                env=tuple(sorted(env.items())),
            )
        )
    except Failure:
        # No mirror can be reached, or its signature cannot be verified. Debian's policy says how
        # packages of libraries are named.
        guesses = ((name, package_names(name)) for name in request.libraries)
        return LikelyPackages(tuple((name, guess[0]) for name, guess in guesses if guess), hint)
    found = json.loads(await file_content(result.digest, PACKAGES_FILE))
    return LikelyPackages(tuple(sorted(found.items())), hint)


MISSING_LIBRARY = FindingKind(
    "missing-library",
    Severity.warning,
    "A wheel needs a shared library that is neither in the wheels nor in the base.",
)


@dataclass(frozen=True)
class LibrariesRequest:
    """Asks which libraries that the wheels need are missing from an image."""

    target: Address
    """Address of the image."""
    layers: tuple[StoredLayer, ...]
    """The layers with wheels."""
    base: Base
    libraries: frozenset[str]
    """Names of the libraries in the base."""


# Separate from the check of an image, so that editing code does not run it again.
@rule(desc="Check the libraries of wheels", level=LogLevel.DEBUG)
async def missing_libraries(request: LibrariesRequest, inseam: InseamSubsystem) -> ImageFindings:
    base = request.base
    digests = await concurrently(only_file(layer, LIBRARIES) for layer in request.layers)
    files = await concurrently(get_digest_contents(digest) for digest in digests)
    missing = find_missing(
        [load_libraries(file.content) for contents in files for file in contents],
        [wheel.name for layer in request.layers for wheel in layer.layer.wheels],
        request.libraries,
        runtime={**RUNTIME_LIBRARIES, **inseam.runtime_libraries},
        ignored=inseam.ignored_libraries,
    )
    if not missing:
        return ImageFindings()
    names = tuple(sorted({name for one in missing for name in one.names}))
    likely = LikelyPackages((), "Add the packages that have them to the base's image.")
    if base.is_debian:
        likely = await likely_packages(
            LikelyPackagesRequest(base.address, base.oci_platform, names), **implicitly()
        )
    packages = dict(likely.packages)
    return ImageFindings(
        tuple(
            Finding(
                MISSING_LIBRARY,
                str(request.target),
                " or ".join(one.names),
                describe_missing(one, str(base.address), packages),
                likely.hint,
            )
            for one in missing
        )
    )


class LibraryCheck(ImageCheckRequest):
    """Asks which libraries are missing from an image, if those of its base are known."""

    kinds = (MISSING_LIBRARY,)


@rule(desc="Check the libraries of an image", level=LogLevel.DEBUG)
async def check_libraries(request: LibraryCheck) -> ImageFindings:
    contents = request.contents
    if contents.base.libraries is None or not contents.wheel_layers:
        return ImageFindings()
    wanted = LibrariesRequest(
        contents.target, contents.wheel_layers, contents.base.base, contents.base.libraries
    )
    found: ImageFindings = await missing_libraries(wanted, **implicitly())
    return found


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(ImageCheckRequest, LibraryCheck)]
