"""Rules that extract the CPython of a base, for the programs that make the layers above it.

So the bytes of layers do not depend on an interpreter of the machine, and a machine does not need
one of the services' version. For a base of another architecture, the same CPython for this machine
comes from the lock of its Debian packages, or from the index of its image.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from pants.engine.fs import (
    EMPTY_DIGEST,
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    PathGlobs,
    RemovePrefix,
)
from pants.engine.platform import Platform
from pants.engine.process import Process
from pants.engine.rules import collect_rules
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from inseam.compat import (
    concurrently,
    create_digest,
    digest_subset_to_digest,
    execute_process,
    implicitly,
    remove_prefix,
    rule,
)
from inseam.formats.failure import Failure
from inseam.formats.rootfs.metadata import ROOTFS_TAR
from inseam.formats.rootfs.start import argv
from inseam.plan.platform import PythonPlatform
from inseam.rules.base.base import BasePython, DebianRootRequest
from inseam.rules.base.debian_root import unpacked_root
from inseam.rules.base.pulled import PulledRequest, pulled_image
from inseam.rules.programs.host import REMOTE_CACHE_HEAD_START_MILLIS, Program, check, run_on_host
from inseam.rules.programs.modules import (
    MAIN,
    PROGRAMS,
    all_sources,
    program_names,
    program_sources,
)
from inseam.subsystem import BuildPython, InseamSubsystem

# Folders of a sandbox: the interpreter, and the program that it runs.
PYTHON_FOLDER, PROGRAM_FOLDER = ".inseam/python", ".inseam/program"
# With LC_ALL=C, no locale of the machine is read, and CPython uses UTF-8 (PEP 540).
ENVIRONMENT = {"LC_ALL": "C", "PYTHONHASHSEED": "0"}
_COMPILED, _LIST = "compiled", "programs.json"
_ARCHITECTURES = {Platform.linux_x86_64: "amd64", Platform.linux_arm64: "arm64"}


@dataclass(frozen=True)
class RunnablePython:
    """A CPython from a base, for this machine."""

    platform: PythonPlatform
    tree: Digest
    """Its files."""
    programs: FrozenDict[str, Digest]
    """Programs with their bytecode, by name."""


@dataclass(frozen=True)
class FoundPython:
    """The CPython of a base, if this machine can run it."""

    python: RunnablePython | None
    """None if an installed CPython of the same minor version replaces it."""
    cannot_run: bool = False
    """Whether that is because this machine has another system or architecture."""


async def _layers(python: BasePython, architecture: str) -> tuple[Digest, list[str]]:
    """A digest with the layers that the CPython is in, and their paths."""
    platform = f"linux/{architecture}"
    if python.is_debian:
        rootfs = python.address.create_generated("rootfs")
        root = await unpacked_root(
            DebianRootRequest(rootfs, platform, python.groups), **implicitly()
        )
        return root.digest, [ROOTFS_TAR]
    image = await pulled_image(PulledRequest(python, platform), **implicitly())
    return image.layers, list(image.blobs)


async def _tree(python: BasePython, architecture: str) -> Digest:
    layers, paths = await _layers(python, architecture)
    made = await run_on_host(
        Program(
            argv=("interpreter", f"--interpreter={python.interpreter}", "--out=tree", *paths),
            input=layers,
            output="tree",
            description=f"Take CPython out of {python.address}",
        )
    )
    return made.digest


async def _compiled_programs(python: BasePython, tree: Digest) -> FrozenDict[str, Digest]:
    """The programs, with the bytecode that the interpreter in a tree compiles for them."""
    names = program_names()
    listed = {name: [_inner(file.path) for file in program_sources(name)] for name in names}
    files = [*all_sources(), FileContent(_LIST, json.dumps(listed).encode())]
    result = await execute_process(
        Process(
            [
                *argv(PYTHON_FOLDER),
                *("-sSB", f"{PROGRAMS}/{MAIN}", "compile_programs", PROGRAMS, _LIST, _COMPILED),
            ],
            description=f"Compile the programs for CPython {python.platform.python_full_version}",
            input_digest=await create_digest(CreateDigest(files)),
            immutable_input_digests={PYTHON_FOLDER: tree},
            output_directories=[_COMPILED],
            env=ENVIRONMENT,
            level=LogLevel.DEBUG,
            remote_cache_speculation_delay_millis=REMOTE_CACHE_HEAD_START_MILLIS,
        ),
        **implicitly(),
    )
    check(result, "Compiling the programs failed")
    if result.output_digest == EMPTY_DIGEST:
        raise Failure(
            f"A worker ran the CPython of {python.address}, but gave back nothing that it wrote."
            " Workers must know output_directories of the Remote Execution API 2.0, which Pants"
            " sends (docs/remote-execution.md). To build without them: --no-remote-execution."
        )
    folders = [f"{_COMPILED}/{name}" for name in names]
    subsets = await concurrently(
        digest_subset_to_digest(DigestSubset(result.output_digest, PathGlobs([f"{folder}/*"])))
        for folder in folders
    )
    digests = await concurrently(
        remove_prefix(RemovePrefix(subset, folder)) for subset, folder in zip(subsets, folders)
    )
    return FrozenDict(zip(names, digests))


def _inner(path: str) -> str:
    return path[len(f"{PROGRAMS}/") :]


@rule(desc="Find the interpreter of a base", level=LogLevel.DEBUG)
async def found_python(
    python: BasePython, platform: Platform, inseam: InseamSubsystem
) -> FoundPython:
    if inseam.build_python == BuildPython.installed:
        return FoundPython(None)
    architecture = _ARCHITECTURES.get(platform)
    version = python.platform.python_version
    if architecture is None:
        return FoundPython(None, cannot_run=True)
    try:
        tree = await _tree(python, architecture)
    except Failure as error:
        raise Failure(
            f"{error}\nThe CPython of {python.address} makes its layers. If it cannot, an installed"
            f" CPython {version} may: set [inseam].build_python to 'installed'."
        ) from error
    here = replace(python.platform, architecture=architecture)
    programs = await _compiled_programs(python, tree)
    return FoundPython(RunnablePython(here, tree, programs))


def rules() -> list[Any]:
    return [*collect_rules()]
