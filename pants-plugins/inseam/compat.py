"""Gives the rule calls that Inseam uses one name each, on every supported Pants version.

Rules are written in call-by-name form. Where Pants has it, the names below are Pants' own; on
Pants 2.17, which only knows `Get`, they are coroutines around it, which that version's rule
parser follows like any other awaited helper. It is one long list, with a line or two for each name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Iterable, TypeVar, get_type_hints

from packaging.version import Version
from pants.backend.python.target_types import InterpreterConstraintsField, PythonResolveField
from pants.engine.internals.native_engine import ProcessExecutionEnvironment
from pants.engine.platform import Platform
from pants.engine.target import FieldSet, Target
from pants.option.global_options import GlobalOptions
from pants.version import PANTS_SEMVER

_Result = TypeVar("_Result")

CALL_BY_NAME = Version("2.30.0.dev0") <= PANTS_SEMVER
# Whether the goal `publish` asks what is skipped before it packages anything.
PUBLISH_ASKS_FIRST = Version("2.32.0.dev0") <= PANTS_SEMVER

if not TYPE_CHECKING and CALL_BY_NAME:
    from pants.backend.python.target_types_rules import resolve_pex_entry_point
    from pants.backend.python.util_rules import pex
    from pants.backend.python.util_rules.package_dists import (
        determine_finalized_setup_kwargs as finalized_setup_kwargs,
    )
    from pants.backend.python.util_rules.package_dists import (
        get_owned_dependencies as owned_dependencies,
    )
    from pants.backend.python.util_rules.pex import (
        PexRequest,
        VenvPex,
        find_interpreter,
        setup_venv_pex_process,
    )
    from pants.backend.python.util_rules.pex_cli import PexCliProcess
    from pants.backend.python.util_rules.python_sources import (
        prepare_python_sources,
        strip_python_sources,
    )
    from pants.core.environments.target_types import EnvironmentTarget
    from pants.core.goals.package import environment_aware_package as build_package
    from pants.core.goals.test import build_runtime_package_dependencies
    from pants.core.util_rules.env_vars import environment_vars_subset
    from pants.core.util_rules.source_files import determine_source_files
    from pants.engine.internals.graph import (
        hydrate_sources,
        resolve_target,
        resolve_unparsed_address_inputs,
        transitive_targets,
    )
    from pants.engine.intrinsics import (
        add_prefix,
        create_digest,
        digest_subset_to_digest,
        digest_to_snapshot,
        execute_process,
        get_digest_contents,
        get_digest_entries,
        merge_digests,
        path_globs_to_digest,
        remove_prefix,
    )
    from pants.engine.intrinsics import execute_process as execute_in
    from pants.engine.process import FallibleProcessResult
    from pants.engine.rules import concurrently, implicitly

    def by_name(rule: Any) -> Any:
        """The rule itself: it can be called."""
        return rule

    async def execute_pex_cli(request: PexCliProcess) -> FallibleProcessResult:
        """Runs PEX, whatever its exit code."""
        return await execute_process(**implicitly({request: PexCliProcess}))

    async def create_venv_pex(request: PexRequest) -> VenvPex:
        return await pex.create_venv_pex(**implicitly({request: PexRequest}))

else:
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
    from pants.engine.process import FallibleProcessResult, Process
    from pants.engine.rules import Get, MultiGet
    from pants.engine.target import (
        HydratedSources,
        HydrateSourcesRequest,
        TransitiveTargets,
        TransitiveTargetsRequest,
        WrappedTarget,
        WrappedTargetRequest,
    )

    def by_name(
        rule: Callable[..., Coroutine[Any, Any, _Result]]
    ) -> Callable[..., Coroutine[Any, Any, _Result]]:
        """A coroutine that asks the engine for the result of `rule`, whose first parameter is the
        request; calling the rule's function would run it again each time."""
        hints = get_type_hints(rule)
        output_type = hints.pop("return")
        request_type = next(iter(hints.values()))

        async def call(request: Any, **_: Any) -> Any:
            return await Get(output_type, request_type, request)

        return call

    def implicitly(*_: Any) -> dict[str, Any]:
        """Nothing: `Get` finds implicit parameters by itself."""
        return {}

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

    async def finalized_setup_kwargs(
        request: GenerateSetupPyRequest, **_: Any
    ) -> FinalizedSetupKwargs:
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

    async def find_interpreter(request: InterpreterConstraints, **_: Any) -> PythonExecutable:
        return await Get(PythonExecutable, InterpreterConstraints, request)

    async def prepare_python_sources(
        request: PythonSourceFilesRequest, **_: Any
    ) -> PythonSourceFiles:
        return await Get(PythonSourceFiles, PythonSourceFilesRequest, request)

    async def strip_python_sources(sources: PythonSourceFiles) -> StrippedPythonSourceFiles:
        return await Get(StrippedPythonSourceFiles, PythonSourceFiles, sources)

    async def environment_vars_subset(request: EnvironmentVarsRequest, **_: Any) -> EnvironmentVars:
        return await Get(EnvironmentVars, EnvironmentVarsRequest, request)

    async def hydrate_sources(request: HydrateSourcesRequest, **_: Any) -> HydratedSources:
        return await Get(HydratedSources, HydrateSourcesRequest, request)

    async def resolve_target(request: WrappedTargetRequest, **_: Any) -> WrappedTarget:
        return await Get(WrappedTarget, WrappedTargetRequest, request)

    async def resolve_unparsed_address_inputs(
        request: UnparsedAddressInputs, **_: Any
    ) -> Addresses:
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


def this_machine(global_options: GlobalOptions) -> ProcessExecutionEnvironment:
    """Where `execute_in` runs a process: on this machine, in no container, whatever is said of
    remote execution."""
    return _execution_environment(global_options, remote=False)


def a_worker(global_options: GlobalOptions) -> ProcessExecutionEnvironment:
    """Where `execute_in` runs a process: on a worker of [GLOBAL].remote_execution_address; without
    [GLOBAL].remote_execution on this machine."""
    return _execution_environment(global_options, remote=global_options.remote_execution)


def _execution_environment(
    global_options: GlobalOptions, remote: bool
) -> ProcessExecutionEnvironment:
    # Pants 2.17 reads keep_sandboxes itself.
    more: dict[str, Any] = {}
    if CALL_BY_NAME:
        keep_sandboxes = global_options.keep_sandboxes.value
        more = {"execute_in_workspace": False, "keep_sandboxes": keep_sandboxes}
    properties = global_options.remote_execution_extra_platform_properties if remote else ()
    return ProcessExecutionEnvironment(
        environment_name=None,
        platform=Platform.create_for_localhost().value,
        docker_image=None,
        remote_execution=remote,
        remote_execution_extra_platform_properties=[
            (name, value) for name, value in (pair.split("=", 1) for pair in properties)
        ],
        **more,
    )


def reads_one_import_of_several(inference: Any) -> bool:
    """Whether dependencies are inferred from only the first module of an `import a, b`: by the Rust
    parser. Later versions than 2.17 have no other, whatever the option says.

    inference: the subsystem `python-infer`.
    """
    return CALL_BY_NAME or bool(inference.use_rust_parser)


def interpreter_constraints(target: Any, python_setup: Any) -> tuple[str, ...]:
    """The interpreter constraints of a target that has that field, or what stands for them."""
    field = target[InterpreterConstraintsField]
    if not hasattr(field, "value_or_configured_default"):
        return tuple(field.value_or_global_default(python_setup))
    resolve = target[PythonResolveField] if target.has_field(PythonResolveField) else None
    return tuple(field.value_or_configured_default(python_setup, resolve))


def patch_image_id_parser(package_image: Any) -> None:
    """Makes Pants find the ID of each image that BuildKit writes.

    BuildKit adds the time to its line, `writing image sha256:... 0.1s done`, when that took over
    10 ms. Pants 2.17 does not know that line and takes the ID for "<unknown>", so that tests of the
    image are cached whatever is in it. Does nothing on a version of Pants that reads the line.

    package_image: the module `pants.backend.docker.goals.package_image`.
    """
    if CALL_BY_NAME:
        return
    parse = package_image.parse_image_id_from_docker_build_output
    if parse(b"#1 writing image sha256:0 0.1s done") == "sha256:0":
        return

    def parse_whatever_the_time(*outputs: bytes) -> str:
        line = rb"(writing image sha256:\w+) [0-9.]+s done"
        return str(parse(*(re.sub(line, rb"\1 done", output) for output in outputs)))

    package_image.parse_image_id_from_docker_build_output = parse_whatever_the_time


def leave_to_inseam(field_set: type[FieldSet], left: Callable[[Target], bool]) -> None:
    """Makes a field set of Pants, and so a goal, not apply to the targets for which `left` is true.

    A target that has the fields of Pants' own, so that Pants finds its code or builds it, counts as
    one of these in every goal.
    """
    opt_out = field_set.opt_out
    if getattr(opt_out, "left_to_inseam", False):
        return

    def opt_out_too(cls: type[FieldSet], target: Target) -> bool:
        return left(target) or bool(opt_out(target))

    opt_out_too.left_to_inseam = True  # type: ignore[attr-defined]
    field_set.opt_out = classmethod(opt_out_too)  # type: ignore[assignment]


__all__ = [
    "EnvironmentTarget",
    "a_worker",
    "add_prefix",
    "build_package",
    "build_runtime_package_dependencies",
    "by_name",
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
    "interpreter_constraints",
    "leave_to_inseam",
    "merge_digests",
    "owned_dependencies",
    "patch_image_id_parser",
    "path_globs_to_digest",
    "prepare_python_sources",
    "reads_one_import_of_several",
    "remove_prefix",
    "resolve_pex_entry_point",
    "resolve_target",
    "resolve_unparsed_address_inputs",
    "setup_venv_pex_process",
    "strip_python_sources",
    "this_machine",
    "transitive_targets",
]
