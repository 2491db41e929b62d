"""Rules that find the shared libraries which an image lacks, when it is packaged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pants.engine.addresses import Address
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import EMPTY_DIGEST
from pants.engine.rules import collect_rules
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
from inseam.plan.libraries import describe_missing, missing_libraries
from inseam.plan.runtime_libraries import RUNTIME_LIBRARIES
from inseam.rules.base.base import Base, DebianRootRequest, locked_base
from inseam.rules.base.debs import FETCH_ENV, trust_args
from inseam.rules.base.default_base import how_to_add
from inseam.rules.layers.layer import StoredLayer, only_file
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program, run_on_host
from inseam.subsystem import InseamSubsystem, MissingLibraries


@dataclass(frozen=True)
class LikelyPackagesRequest:
    """The Debian packages of shared libraries, for a base. libraries: their names, sorted."""

    base: Address
    platform: str
    libraries: tuple[str, ...]


@dataclass(frozen=True)
class LikelyPackages:
    """packages: (library, name of the package), of those that are known. hint: how to add one."""

    packages: tuple[tuple[str, str], ...]
    hint: str


@rule(desc="Find the Debian packages of libraries", level=LogLevel.DEBUG)
async def likely_packages(
    request: LikelyPackagesRequest, inseam: InseamSubsystem
) -> LikelyPackages:
    locked = await locked_base(DebianRootRequest(request.base, request.platform), **implicitly())
    hint = f"{how_to_add(locked.packages_path, locked.lock_path)}\n"
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
        # No mirror can be reached, or nothing verifies its signature: Debian's policy says how such
        # packages are called.
        guesses = ((name, package_names(name)) for name in request.libraries)
        return LikelyPackages(tuple((name, guess[0]) for name, guess in guesses if guess), hint)
    found = json.loads(await file_content(result.digest, PACKAGES_FILE))
    return LikelyPackages(tuple(sorted(found.items())), hint)


@dataclass(frozen=True)
class LibrariesRequest:
    """Asks whether an image has the libraries that its wheels need.

    of: what is packaged. layers: of wheels. libraries: the names of those that the base has.
    """

    of: Address
    layers: tuple[StoredLayer, ...]
    base: Base
    libraries: frozenset[str]


@dataclass(frozen=True)
class CheckedLibraries:
    """They are there, or the warnings, at most one, say what is missing."""

    warnings: tuple[str, ...] = ()


# Separate from the rule that makes an image, so that an edit of code does not ask this again.
@rule(desc="Check the libraries of wheels", level=LogLevel.DEBUG)
async def check_libraries(request: LibrariesRequest, inseam: InseamSubsystem) -> CheckedLibraries:
    if inseam.missing_libraries is MissingLibraries.ignore:
        return CheckedLibraries()
    base = request.base
    digests = await concurrently(only_file(layer, LIBRARIES) for layer in request.layers)
    files = await concurrently(get_digest_contents(digest) for digest in digests)
    missing = missing_libraries(
        [load_libraries(file.content) for contents in files for file in contents],
        [wheel.name for layer in request.layers for wheel in layer.layer.wheels],
        request.libraries,
        runtime={**RUNTIME_LIBRARIES, **inseam.runtime_libraries},
        ignored=inseam.ignored_libraries,
    )
    if not missing:
        return CheckedLibraries()
    names = tuple(sorted({name for one in missing for name in one.names}))
    likely = LikelyPackages((), "Add the packages that have them to the base's image.\n")
    if base.is_debian:
        likely = await likely_packages(
            LikelyPackagesRequest(base.address, base.oci_platform, names), **implicitly()
        )
    text = describe_missing(missing, str(base.address), dict(likely.packages), likely.hint)
    if inseam.missing_libraries is MissingLibraries.error:
        raise Failure(f"{request.of}: {text}")
    return CheckedLibraries((f"{request.of}: {text}",))


def rules() -> list[Any]:
    return [*collect_rules()]
