"""Rules that find the metadata of first-party distributions: versions, entry points, scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup_py_generation import SetupPyGeneration
from pants.backend.python.subsystems.setuptools import PythonDistributionFieldSet
from pants.backend.python.target_types import GenerateSetupField, WheelField
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.package_dists import (
    DependencyOwner,
    DistBuildSources,
    ExportedTarget,
    GenerateSetupPyRequest,
)
from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest
from pants.core.goals.package import EnvironmentAwarePackageRequest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.rules import collect_rules
from pants.engine.target import WrappedTargetRequest
from pants.util.logging import LogLevel

from inseam.compat import (
    build_package,
    finalized_setup_kwargs,
    get_digest_contents,
    implicitly,
    owned_dependencies,
    prepare_python_sources,
    resolve_target,
    rule,
    strip_python_sources,
)
from inseam.formats.failure import Failure, failing_in
from inseam.formats.python.dist_info import DistInfo, dist_info, dist_info_of_wheel
from inseam.formats.python.entry_point import EntryPoint
from inseam.rules.programs.digests import written


@dataclass(frozen=True)
class DistributionRequest:
    """Asks for the metadata of the `python_distribution` at an address."""

    address: Address


@dataclass(frozen=True)
class FirstPartyDistribution:
    """What a distribution contains in addition to its code."""

    address: Address
    folder: str
    """Name of its `.dist-info` folder."""
    digest: Digest
    """A digest with that folder."""
    paths: tuple[str, ...]
    """Paths of its modules, as they are imported."""
    scripts: tuple[EntryPoint, ...]
    """Its console scripts."""


@rule(desc="Find the metadata of a distribution", level=LogLevel.DEBUG)
async def distribution(
    request: DistributionRequest, generation: SetupPyGeneration
) -> FirstPartyDistribution:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a distribution"),
        **implicitly(),
    )
    target = wrapped.target
    exported = ExportedTarget(target)
    owned = await owned_dependencies(DependencyOwner(exported), **implicitly())
    prepared = await prepare_python_sources(
        PythonSourceFilesRequest([one.target for one in owned]), **implicitly()
    )
    stripped = await strip_python_sources(prepared)
    paths = tuple(stripped.stripped_source_files.snapshot.files)
    generated = target[GenerateSetupField].value
    if generated is None:
        generated = generation.generate_setup_default
    if generated:
        # From the declaration alone, so that editing the code does not build a wheel.
        sources = DistBuildSources(EMPTY_DIGEST, (), (), ())
        arguments = await finalized_setup_kwargs(
            GenerateSetupPyRequest(exported, sources, InterpreterConstraints([])), **implicitly()
        )
        info = dist_info(arguments.kwargs, paths)
    else:
        # A setup.py or pyproject.toml in the repository may compute anything.
        built = await build_package(
            EnvironmentAwarePackageRequest(PythonDistributionFieldSet.create(target)),
            **implicitly(),
        )
        contents = await get_digest_contents(built.digest)
        info = _of_wheel(target.address, contents, paths)
    digest = await written(
        {f"{info.folder}/{name}": content for name, content in info.files.items()}
    )
    return FirstPartyDistribution(target.address, info.folder, digest, paths, info.scripts)


def _of_wheel(address: Address, contents: Any, paths: tuple[str, ...]) -> DistInfo:
    wheels = [file for file in contents if file.path.endswith(".whl")]
    if len(wheels) != 1:
        raise Failure(f"{address} builds {len(wheels)} wheels, but a service can use only one.")
    with failing_in(address):
        info, modules = dist_info_of_wheel(wheels[0].path, wheels[0].content)
    unknown = sorted(set(modules).difference(paths))
    if unknown:
        raise Failure(
            f"{address}: its wheel contains {unknown[0]}, which is not among its sources. Code that"
            " a build generates or compiles cannot be used from its sources: publish the"
            " distribution, and add it to the requirements."
        )
    return info


def is_distribution(target: Any) -> bool:
    """Whether a target is a distribution that makes a wheel, as PEXes use it."""
    return target.has_field(WheelField) and bool(target[WheelField].value)


def rules() -> list[Any]:
    return [*collect_rules()]
