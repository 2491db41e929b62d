"""Rules that build wheels from sources, each once, offline, from locked requirements.

They are in one file because they form one chain, from the declaration to the wheel.
"""

from __future__ import annotations

import json
import platform as machine
from dataclasses import dataclass, replace
from typing import Any

from packaging.utils import canonicalize_name
from pants.engine.addresses import Address
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    Digest,
    DigestSubset,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
)
from pants.engine.rules import collect_rules
from pants.engine.target import AllTargets, Target
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import (
    add_prefix,
    digest_subset_to_digest,
    digest_to_snapshot,
    implicitly,
    merge_digests,
    path_globs_to_digest,
    remove_prefix,
    rule,
)
from inseam.formats.elf import MACHINES
from inseam.formats.failure import Failure
from inseam.formats.limits import parse_limits
from inseam.formats.names import file_name
from inseam.formats.python.build_environment import BuildFailed
from inseam.formats.python.frontend import REQUIRES
from inseam.formats.rootfs.metadata import ROOTFS_TAR
from inseam.formats.rootfs.start import TOOLS_TAR
from inseam.plan.artifacts import LockedSource
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import BasePython, BaseRequest, DebianRootRequest, find_base
from inseam.rules.base.debian_root import unpacked_root
from inseam.rules.base.process import run_on
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import CACHE_FOLDER, Program, ProgramFailed, ProgramResult
from inseam.rules.wheels.building import BuildResult, BuildWheelRequest
from inseam.rules.wheels.wheels import BuiltWheel
from inseam.subsystem import InseamSubsystem
from inseam.wheels_from_source.decisions import Built, check_built, declare_hint, version_variables
from inseam.wheels_from_source.requirements import (
    BuildRequirementsRequest,
    FrontendRequest,
    build_requirements,
    frontend,
)
from inseam.wheels_from_source.sources import FetchedSource, SourceRequest, fetched_source
from inseam.wheels_from_source.targets import (
    BuildEnvField,
    BuilderField,
    BuilderGroupsField,
    BuildResolveField,
    ConfigSettingsField,
    DistributionField,
    PatchesField,
)
from inseam.wheels_from_source.tools import ToolsRequest, build_tools

_BUILT = "built.json"
# A backend may ask for more than [build-system].requires contains, and some ask again for more.
_ROUNDS = 4


@dataclass(frozen=True)
class DeclarationsRequest:
    """Asks for all `wheel_from_source` targets."""


@dataclass(frozen=True)
class Declarations:
    """`wheel_from_source` targets, by the name of their distribution."""

    targets: FrozenDict[str, Target]


@rule(desc="Find how wheels are built", level=LogLevel.DEBUG)
async def declarations(_: DeclarationsRequest, targets: AllTargets) -> Declarations:
    found: dict[str, Target] = {}
    for target in targets:
        if not target.has_field(DistributionField):
            continue
        name = canonicalize_name(target[DistributionField].value)
        other = found.setdefault(name, target)
        if other is not target:
            raise Failure(
                f"{other.address} and {target.address} both say how {name} is built. Remove one."
            )
    return Declarations(FrozenDict(found))


@dataclass(frozen=True)
class Declaration:
    """The fields of a `wheel_from_source`, or their defaults."""

    address: Address | None = None
    """The target's address; None if there is no such target."""
    builder: str = ""
    """Address of the builder; "" for none."""
    groups: tuple[str, ...] = ()
    """Groups of the builder's packages."""
    env: tuple[tuple[str, str], ...] = ()
    settings: tuple[str, ...] = ()
    """Settings for the backend, each as `NAME=VALUE`."""
    patches: tuple[str, ...] = ()
    """Paths in `patch_files`, in the order in which they are applied."""
    patch_files: Digest = EMPTY_DIGEST
    resolve: str = ""
    """The resolve of the build requirements; "" for the lock that comes with Inseam."""


async def _declaration(source: LockedSource, default_resolve: str) -> Declaration:
    found = await declarations(DeclarationsRequest(), **implicitly())
    target = found.targets.get(source.name)
    if target is None:
        return Declaration(resolve=default_resolve)
    folder = target.address.spec_path
    patches = tuple(f"{folder}/{name}".lstrip("/") for name in target[PatchesField].value or ())
    files = EMPTY_DIGEST
    if patches:
        files = await path_globs_to_digest(PathGlobs(patches))
        there = (await digest_to_snapshot(files)).files
        gone = [path for path in patches if path not in there]
        if gone:
            raise Failure(f"{target.address}: there is no patch {gone[0]}.")
    return Declaration(
        address=target.address,
        builder=target[BuilderField].value or "",
        groups=target[BuilderGroupsField].value,
        env=tuple(sorted((target[BuildEnvField].value or {}).items())),
        settings=target[ConfigSettingsField].value,
        patches=patches,
        patch_files=files,
        resolve=target[BuildResolveField].value or default_resolve,
    )


@dataclass(frozen=True)
class Builder:
    """The place where a build runs."""

    platform: PythonPlatform
    """Platform of the interpreter there."""
    python: BasePython
    """The CPython that runs the program that builds."""
    arguments: tuple[str, ...] = ()
    """Arguments for that program."""
    shared: tuple[tuple[str, Digest], ...] = ()
    """Folders with the root filesystem, if it has its own."""


def _this_machine() -> str:
    """This machine's architecture, by Debian's name."""
    known = {name: debian for debian, name in MACHINES.items()}
    return known.get(machine.machine(), machine.machine())


async def _builder(declared: Declaration, python: BasePython) -> Builder:
    platform = python.platform
    if not declared.builder:
        # Pure wheels run anywhere; build for this machine.
        return Builder(replace(platform, architecture=_this_machine()), python)
    base = await find_base(
        BaseRequest(
            declared.builder, declared.address, f"linux/{platform.architecture}", builder=True
        ),
        **implicitly(),
    )
    if base.python_version != platform.python_version or base.platform.glibc > platform.glibc:
        raise Failure(
            f"{declared.address}: the builder {base.address} has CPython {base.python_version} and"
            f" glibc {base.platform.glibc}, the image's base CPython"
            f" {platform.python_version} and glibc {platform.glibc}. A builder"
            " must have the same CPython and no newer glibc: take one of the base's own release."
        )
    # Without bytecode for its standard library, because a build starts Python only a few times.
    root = await unpacked_root(
        DebianRootRequest(
            base.address.create_generated("rootfs"), base.oci_platform, declared.groups
        ),
        **implicitly(),
    )
    return Builder(
        base.platform,
        # Not the builder's, which would have to be extracted just for this.
        python,
        (
            f"--root=root/{ROOTFS_TAR}",
            # Not checked here, because another machine may run it, or may already have run it.
            f"--architecture={platform.architecture}",
            f"--interpreter={base.interpreter}",
            f"--cache={CACHE_FOLDER}/roots",
        ),
        (("root", root.digest),),
    )


@dataclass(frozen=True)
class BuildFromSource(BuildWheelRequest):
    """Asks for a wheel to be built from its sources, in a sandbox without a network."""


def _limits(inseam: InseamSubsystem) -> tuple[str, ...]:
    """The arguments that tell the program the limits of a build."""
    given = sorted(inseam.build_limits.items())
    parse_limits(given)
    return (
        f"--timeout={inseam.build_timeout}",
        *(f"--limit={name}={value}" for name, value in given),
        *(("--allow-unconfined",) if inseam.allow_unconfined_builds else ()),
    )


@dataclass(frozen=True)
class _Inputs:
    """The inputs of a build, except its requirements."""

    source: LockedSource
    declared: Declaration
    builder: Builder
    sources: FetchedSource
    frontend: Digest
    """A digest with the modules that call the backend."""
    tools: Digest
    """A digest with the tools that confine the build; empty to use the machine's own."""
    limits: tuple[str, ...]
    """The limits of the build, as arguments."""

    def program(self, requirements: tuple[str, ...], input: Digest) -> Program:
        """A run that builds the wheel, or returns further requirements."""
        source, declared, builder = self.source, self.declared, self.builder
        confined = self.tools != EMPTY_DIGEST
        env = {**version_variables(source), **dict(declared.env)}
        return Program(
            argv=(
                "build_wheel",
                f"--source=source/{self.sources.path}",
                f"--subdirectory={self.sources.subdirectory}",
                "--frontend=frontend",
                "--out=out",
                *self.limits,
                *((f"--tools=tools/{TOOLS_TAR}",) if confined else ()),
                *(("--requirements=requirements",) if requirements else ()),
                *(f"--declared={requirement}" for requirement in requirements),
                *(f"--env={name}={value}" for name, value in sorted(env.items())),
                *(f"--setting={setting}" for setting in declared.settings),
                *(f"--patch={patch}" for patch in declared.patches),
                *builder.arguments,
            ),
            input=input,
            output="out",
            description=(
                f"Build {source.name} {source.version}"
                if requirements
                else f"Find out what {source.name} {source.version} needs to be built"
            ),
            shared=(
                ("frontend", self.frontend),
                *((("tools", self.tools),) if confined else ()),
                *builder.shared,
            ),
            keeps=bool(builder.shared),
        )


async def _inputs(
    request: BuildFromSource, declared: Declaration, limits: tuple[str, ...]
) -> _Inputs:
    builder = await _builder(declared, request.python)
    sources = await fetched_source(SourceRequest(request.source), **implicitly())
    modules = await frontend(FrontendRequest(builder.platform), **implicitly())
    tools = await build_tools(ToolsRequest(builder.platform.architecture), **implicitly())
    return _Inputs(
        source=request.source,
        declared=declared,
        builder=builder,
        sources=sources,
        frontend=modules.digest,
        tools=tools.digest,
        limits=limits,
    )


async def _build(inputs: _Inputs) -> tuple[dict[str, Any], Digest]:
    """The content of `built.json`, and a digest with the wheel at its root."""
    requirements: tuple[str, ...] = ()
    for _ in range(_ROUNDS):
        needed = await build_requirements(
            BuildRequirementsRequest(
                requirements, inputs.declared.resolve, inputs.builder.platform, inputs.source
            ),
            **implicitly(),
        )
        digests = [
            await add_prefix(AddPrefix(inputs.sources.digest, "source")),
            await add_prefix(AddPrefix(needed.digest, "requirements")),
            inputs.declared.patch_files,
        ]
        merged = await merge_digests(MergeDigests(digests))
        result = await run_on(inputs.builder.python, inputs.program(requirements, merged))
        files = (await digest_to_snapshot(result.digest)).files
        if REQUIRES not in files:
            return await _built(result)
        requirements = tuple(json.loads(await file_content(result.digest, REQUIRES)))
    raise Failure(
        f"its backend asks for other requirements each time: {', '.join(requirements)}. Name them"
        " in [build-system].requires by a patch."
    )


async def _built(result: ProgramResult) -> tuple[dict[str, Any], Digest]:
    says = json.loads(await file_content(result.digest, _BUILT))
    only = await digest_subset_to_digest(DigestSubset(result.digest, PathGlobs(["wheel/*"])))
    wheel = await remove_prefix(RemovePrefix(only, "wheel"))
    return {**says, "messages": result.messages.strip()}, wheel


# Returns errors instead of raising them, so that all failed builds are reported at once.
@rule(desc="Build a wheel", level=LogLevel.DEBUG)
async def build_from_source(request: BuildFromSource, inseam: InseamSubsystem) -> BuildResult:
    source = request.source
    declared = Declaration()
    try:
        declared = await _declaration(source, inseam.build_resolve or "")
        built, digest = await _build(await _inputs(request, declared, _limits(inseam)))
        says = Built(*(built[name] for name in Built._fields))
        check_built(source, says, request.python.platform, native=bool(declared.builder))
    except Failure as error:
        failed = isinstance(error, ProgramFailed) and error.code == BuildFailed.exit_code
        hint = f"\n{declare_hint(source)}" if failed and not declared.builder else ""
        return BuildResult(None, f"{error}{hint}")
    return BuildResult(
        BuiltWheel(
            name=source.name,
            version=source.version or built["version"],
            filename=file_name(built["filename"], f"the wheel of {source.name}"),
            sha256=built["sha256"],
            url="",
            source=source.origin,
            digest=digest,
            size=built["size"],
            messages=built["messages"],
        )
    )


def rules() -> list[Any]:
    return [*collect_rules(), UnionRule(BuildWheelRequest, BuildFromSource)]
