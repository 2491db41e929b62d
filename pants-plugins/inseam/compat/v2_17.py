"""The rule calls of Inseam on Pants 2.17, which only knows `Get`: coroutines around it.

The rule parser of that version follows them like any other awaited helper.
"""

from __future__ import annotations

from typing import Any, Callable, Coroutine, Iterable, TypeVar, get_type_hints, overload

from pants.backend.python.dependency_inference.module_mapper import (
    PythonModuleOwners,
    PythonModuleOwnersRequest,
)
from pants.backend.python.target_types import ResolvedPexEntryPoint, ResolvePexEntryPointRequest
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.package_dists import (
    DependencyOwner,
    FinalizedSetupKwargs,
    GenerateSetupPyRequest,
    OwnedDependencies,
)
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.backend.python.util_rules.pex_environment import PythonExecutable
from pants.backend.python.util_rules.python_sources import (
    PythonSourceFiles,
    PythonSourceFilesRequest,
    StrippedPythonSourceFiles,
)
from pants.core.goals.package import BuiltPackage, EnvironmentAwarePackageRequest
from pants.core.goals.test import BuildPackageDependenciesRequest, BuiltPackageDependencies
from pants.core.util_rules.environments import EnvironmentTarget
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.addresses import Addresses, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    DigestContents,
    DigestEntries,
    DigestSubset,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
    Snapshot,
)
from pants.engine.internals.native_engine import ProcessExecutionEnvironment
from pants.engine.process import FallibleProcessResult, Process
from pants.engine.rules import Get, MultiGet
from pants.engine.rules import rule as rule_of_pants
from pants.engine.target import (
    HydratedSources,
    HydrateSourcesRequest,
    TransitiveTargets,
    TransitiveTargetsRequest,
    WrappedTarget,
    WrappedTargetRequest,
)

_Result = TypeVar("_Result")
_Function = Callable[..., Coroutine[Any, Any, _Result]]


def _called(function: _Function[_Result]) -> _Function[_Result]:
    """A coroutine that requests the result of a rule from the engine. The rule's first parameter is
    the request; calling its function would run it again each time.
    """
    hints = get_type_hints(function)
    output_type = hints.pop("return")
    request_type = next(iter(hints.values()), type(None))

    async def call(request: Any = None, **_: Any) -> Any:
        return await Get(output_type, request_type, request)

    return call


@overload
def rule(function: _Function[_Result]) -> _Function[_Result]: ...
@overload
def rule(
    *, desc: str = "", level: Any = None
) -> Callable[[_Function[_Result]], _Function[_Result]]: ...
def rule(function: Any = None, **options: Any) -> Any:
    """Declares a rule that other rules call by its name: its first parameter is the request, and
    the engine finds the others."""

    def declare(function: _Function[_Result]) -> _Function[_Result]:
        declared: Any = rule_of_pants(**options)(function)
        call = _called(function)
        call.rule = declared.rule  # type: ignore[attr-defined]
        call.__name__ = function.__name__
        return call

    return declare if function is None else declare(function)


def polymorphic(function: _Function[_Result]) -> _Function[_Result]:
    """Declares a rule that dispatches to those of a union's members: its first parameter is the
    union's base.
    """
    call = _called(function)
    call.declares = function  # type: ignore[attr-defined]
    return call


def implicitly(*given: Any) -> dict[str, Any]:
    """The request, if it is given with its type, as `{request: type}`. `Get` finds other
    parameters by itself."""
    typed = [request for one in given if isinstance(one, dict) for request in one]
    return {"request": typed[0]} if typed else {}


async def concurrently(coroutines: Iterable[Coroutine[Any, Any, Any]]) -> tuple[Any, ...]:
    """The results of the coroutines, whose `Get`s are requested together, round by round."""
    running = list(coroutines)
    results: list[Any] = [None] * len(running)
    answers: dict[int, Any] = {number: None for number in range(len(running))}
    try:
        while answers:
            asked: dict[int, Any] = {}
            for number, answer in answers.items():
                try:
                    asked[number] = running[number].send(answer)
                except StopIteration as end:
                    results[number] = end.value
            flat = [
                get
                for request in asked.values()
                for get in (request if isinstance(request, (tuple, list)) else (request,))
            ]
            values = iter(await MultiGet(flat) if flat else ())
            answers = {
                number: (
                    tuple(next(values) for _ in request)
                    if isinstance(request, (tuple, list))
                    else next(values)
                )
                for number, request in asked.items()
            }
    finally:
        for coroutine in running:
            coroutine.close()
    return tuple(results)


async def build_runtime_package_dependencies(
    request: BuildPackageDependenciesRequest,
) -> BuiltPackageDependencies:
    return await Get(BuiltPackageDependencies, BuildPackageDependenciesRequest, request)


async def build_package(request: EnvironmentAwarePackageRequest, **_: Any) -> BuiltPackage:
    return await Get(BuiltPackage, EnvironmentAwarePackageRequest, request)


async def determine_source_files(request: SourceFilesRequest) -> SourceFiles:
    return await Get(SourceFiles, SourceFilesRequest, request)


async def finalized_setup_kwargs(request: GenerateSetupPyRequest, **_: Any) -> FinalizedSetupKwargs:
    return await Get(FinalizedSetupKwargs, GenerateSetupPyRequest, request)


async def owned_dependencies(owner: DependencyOwner, **_: Any) -> OwnedDependencies:
    return await Get(OwnedDependencies, DependencyOwner, owner)


async def create_venv_pex(request: PexRequest) -> VenvPex:
    return await Get(VenvPex, PexRequest, request)


async def setup_venv_pex_process(request: VenvPexProcess, **_: Any) -> Process:
    return await Get(Process, VenvPexProcess, request)


async def resolve_pex_entry_point(
    request: ResolvePexEntryPointRequest, **_: Any
) -> ResolvedPexEntryPoint:
    return await Get(ResolvedPexEntryPoint, ResolvePexEntryPointRequest, request)


async def map_module_to_address(request: PythonModuleOwnersRequest, **_: Any) -> PythonModuleOwners:
    return await Get(PythonModuleOwners, PythonModuleOwnersRequest, request)


async def find_interpreter(request: InterpreterConstraints, **_: Any) -> PythonExecutable:
    return await Get(PythonExecutable, InterpreterConstraints, request)


async def prepare_python_sources(request: PythonSourceFilesRequest, **_: Any) -> PythonSourceFiles:
    return await Get(PythonSourceFiles, PythonSourceFilesRequest, request)


async def strip_python_sources(sources: PythonSourceFiles) -> StrippedPythonSourceFiles:
    return await Get(StrippedPythonSourceFiles, PythonSourceFiles, sources)


async def environment_vars_subset(request: EnvironmentVarsRequest, **_: Any) -> EnvironmentVars:
    return await Get(EnvironmentVars, EnvironmentVarsRequest, request)


async def hydrate_sources(request: HydrateSourcesRequest, **_: Any) -> HydratedSources:
    return await Get(HydratedSources, HydrateSourcesRequest, request)


async def resolve_target(request: WrappedTargetRequest, **_: Any) -> WrappedTarget:
    return await Get(WrappedTarget, WrappedTargetRequest, request)


async def resolve_unparsed_address_inputs(request: UnparsedAddressInputs, **_: Any) -> Addresses:
    return await Get(Addresses, UnparsedAddressInputs, request)


async def transitive_targets(request: TransitiveTargetsRequest, **_: Any) -> TransitiveTargets:
    return await Get(TransitiveTargets, TransitiveTargetsRequest, request)


async def add_prefix(request: AddPrefix) -> Digest:
    return await Get(Digest, AddPrefix, request)


async def create_digest(request: CreateDigest) -> Digest:
    return await Get(Digest, CreateDigest, request)


async def digest_subset_to_digest(request: DigestSubset) -> Digest:
    return await Get(Digest, DigestSubset, request)


async def digest_to_snapshot(digest: Digest) -> Snapshot:
    return await Get(Snapshot, Digest, digest)


async def execute_process(process: Process, **_: Any) -> FallibleProcessResult:
    return await Get(FallibleProcessResult, Process, process)


async def execute_in(
    process: Process, environment: ProcessExecutionEnvironment
) -> FallibleProcessResult:
    return await Get(
        FallibleProcessResult,
        {process: Process, environment: ProcessExecutionEnvironment},
    )


async def execute_pex_cli(request: PexCliProcess) -> FallibleProcessResult:
    return await Get(FallibleProcessResult, PexCliProcess, request)


async def get_digest_contents(digest: Digest) -> DigestContents:
    return await Get(DigestContents, Digest, digest)


async def get_digest_entries(digest: Digest) -> DigestEntries:
    return await Get(DigestEntries, Digest, digest)


async def merge_digests(request: MergeDigests) -> Digest:
    return await Get(Digest, MergeDigests, request)


async def path_globs_to_digest(request: PathGlobs) -> Digest:
    return await Get(Digest, PathGlobs, request)


async def remove_prefix(request: RemovePrefix) -> Digest:
    return await Get(Digest, RemovePrefix, request)


__all__ = [
    "EnvironmentTarget",
    "add_prefix",
    "build_package",
    "build_runtime_package_dependencies",
    "concurrently",
    "create_digest",
    "create_venv_pex",
    "determine_source_files",
    "digest_subset_to_digest",
    "digest_to_snapshot",
    "environment_vars_subset",
    "execute_in",
    "execute_pex_cli",
    "execute_process",
    "finalized_setup_kwargs",
    "find_interpreter",
    "get_digest_contents",
    "get_digest_entries",
    "hydrate_sources",
    "implicitly",
    "map_module_to_address",
    "merge_digests",
    "owned_dependencies",
    "path_globs_to_digest",
    "polymorphic",
    "prepare_python_sources",
    "remove_prefix",
    "resolve_pex_entry_point",
    "resolve_target",
    "resolve_unparsed_address_inputs",
    "rule",
    "setup_venv_pex_process",
    "strip_python_sources",
    "transitive_targets",
]
