"""Runs programs by the CPython that runs Pants: those that reach a server or write to `dist`, and
those that make the interpreter that all others run on.

Their results do not depend on the interpreter. They never run on a remote worker.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, Digest, RemovePrefix
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import collect_rules
from pants.option.global_options import GlobalOptions
from pants.util.logging import LogLevel

from inseam.compat import (
    EnvironmentTarget,
    create_digest,
    execute_in,
    find_interpreter,
    implicitly,
    remove_prefix,
    rule,
    this_machine,
)
from inseam.formats.failure import Failure
from inseam.rules.programs.modules import (
    MAIN,
    PROGRAMS,
    all_sources,
    program_names,
    program_sources,
    program_version,
    version_of,
)

# What the programs that reach a server read of the environment.
NETWORK_ENV = (
    "SSL_CERT_FILE",
    *(name for low in ("http_proxy", "https_proxy", "no_proxy") for name in (low, low.upper())),
)

# In this named cache lie a link to the machine's interpreter and the programs, with bytecode. So
# neither the interpreter's path nor bytecode, which each machine may have otherwise, is part of
# what a process is cached by; and no process has to copy and compile programs first.
_CACHE = "inseam_python"
CACHE_FOLDER = ".inseam_python"
CACHES = {_CACHE: CACHE_FOLDER}
# How long a remote cache has to answer before a program is run beside it. Starting at once would
# take the machine's cores for what is about to be found.
REMOTE_CACHE_HEAD_START_MILLIS = 2000
# Stands for the CPython that runs Pants, which every machine has.
ANY_PYTHON = "3"


@dataclass(frozen=True)
class Program:
    """A run of a program."""

    argv: tuple[str, ...]
    """Command and arguments."""
    input: Digest
    """The sandbox it runs in."""
    output: str
    """The folder that it writes, whose content is the result."""
    description: str = field(compare=False)
    env: tuple[tuple[str, str], ...] = ()
    """Variables it reads."""
    cacheable: bool = True
    """False for a program whose result depends on more than its inputs."""
    libraries: Digest = EMPTY_DIGEST
    """What it imports besides, at the digest's root."""
    shared: tuple[tuple[str, Digest], ...] = ()
    """Folders of the sandbox, and what is in each, that other runs have too: these are not copied
    for each run."""
    keeps: bool = False
    """Whether it keeps things for other runs in CACHE_FOLDER."""
    level: LogLevel = field(default=LogLevel.INFO, compare=False)
    """At which Pants logs that it starts, ends or is cancelled."""

    @property
    def inputs(self) -> dict[str, Digest]:
        """The folders that are not copied, with their content."""
        more = {"libraries": self.libraries} if self.libraries != EMPTY_DIGEST else {}
        return {**dict(self.shared), **more}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it is started with."""
        more = {"PYTHONPATH": "libraries"} if self.libraries != EMPTY_DIGEST else {}
        return {"PYTHONHASHSEED": "0", **more, **dict(self.env)}

    @property
    def cache_scope(self) -> ProcessCacheScope:
        """How long its results hold."""
        return ProcessCacheScope.SUCCESSFUL if self.cacheable else ProcessCacheScope.PER_SESSION


class ProgramFailed(Failure):
    """A program ended with a Failure, whose text this is."""

    code: int
    """The `exit_code` of that Failure, which says of which type it was."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class ProgramResult:
    """What a program wrote, relative to its output folder, and what it said on stderr."""

    digest: Digest
    messages: str


@dataclass(frozen=True)
class HostProgramRequest:
    """A run of a program by an installed CPython, of a version as "3.11"."""

    program: Program
    python_version: str = ANY_PYTHON


@dataclass(frozen=True)
class InterpreterRequest:
    """An installed CPython of a version, as "3.11"."""

    python_version: str


@dataclass(frozen=True)
class Interpreter:
    """How a process of this machine calls CPython: a path in the named cache."""

    path: str


@rule(desc="Find CPython on this machine", level=LogLevel.DEBUG)
async def prepared_interpreter(
    request: InterpreterRequest, environment: EnvironmentTarget, global_options: GlobalOptions
) -> Interpreter:
    version = request.python_version
    path, fingerprint = sys.executable, sys.version
    try:
        if version != ANY_PYTHON:
            python = await find_interpreter(
                InterpreterConstraints([f"CPython=={version}.*"]), **implicitly()
            )
            path, fingerprint = python.path, python.fingerprint
    except Exception as error:
        raise Failure(
            f"CPython {version}, which is to make the layers, was not found on this machine."
            f" Install it (Debian and Ubuntu: apt-get install python{version}; anywhere:"
            f" pyenv install {version}), or add its folder to [python-bootstrap].search_path."
        ) from error
    files = all_sources()
    name = f"cpython-{request.python_version}"
    result = await execute_in(
        Process(
            [
                path,
                "-sSB",
                f"{PROGRAMS}/{MAIN}",
                "install_programs",
                f"--programs={PROGRAMS}",
                f"--cache={CACHE_FOLDER}",
                f"--interpreter={name}",
                f"--name={PROGRAMS}-{version_of(files)}-{request.python_version}",
                *(_installed(program, request.python_version) for program in program_names()),
            ],
            description=f"Install the programs for {path}",
            input_digest=await create_digest(CreateDigest(files)),
            append_only_caches=CACHES,
            cache_scope=environment.executable_search_path_cache_scope(),
            level=LogLevel.DEBUG,
            # The fingerprint makes another interpreter at the same path another process.
            env={"INSEAM_INTERPRETER": fingerprint},
        ),
        this_machine(global_options),
    )
    check(result, f"Installing the programs for {path} failed")
    return Interpreter(f"{CACHE_FOLDER}/{name}")


def _installed(program: str, python_version: str) -> str:
    """The folder of a program in the named cache."""
    return f"{program}-{program_version(program)}-{python_version}"


def check(result: FallibleProcessResult, what: str) -> None:
    """Raises ProgramFailed, with what a process said, if it failed."""
    if result.exit_code != 0:
        text = result.stderr.decode(errors="replace").strip()
        raise ProgramFailed(text or f"{what} with exit code {result.exit_code}.", result.exit_code)


async def program_result(program: Program, result: FallibleProcessResult) -> ProgramResult:
    """What a program's process gives; raises Failure with what it said if it failed."""
    check(result, f"{program.description} failed")
    digest = await remove_prefix(RemovePrefix(result.output_digest, program.output))
    return ProgramResult(digest, result.stderr.decode(errors="replace"))


@rule(level=LogLevel.DEBUG)
async def executed_on_host(
    request: HostProgramRequest, global_options: GlobalOptions
) -> ProgramResult:
    version, program = request.python_version, request.program
    interpreter = await prepared_interpreter(InterpreterRequest(version), **implicitly())
    main = f"{CACHE_FOLDER}/{_installed(program.argv[0], version)}/{MAIN}"
    result = await execute_in(
        Process(
            [interpreter.path, "-sSB", main, *program.argv],
            description=program.description,
            level=program.level,
            input_digest=program.input,
            immutable_input_digests=program.inputs,
            output_directories=[program.output],
            append_only_caches=CACHES,
            env=program.environment,
            remote_cache_speculation_delay_millis=REMOTE_CACHE_HEAD_START_MILLIS,
            cache_scope=program.cache_scope,
        ),
        this_machine(global_options),
    )
    return await program_result(program, result)


async def run_on_host(program: Program) -> ProgramResult:
    """Runs a program by the CPython that runs Pants; raises Failure with what it said."""
    result: ProgramResult = await executed_on_host(HostProgramRequest(program), **implicitly())
    return result


@dataclass(frozen=True)
class CommandRequest:
    """A program, with its arguments, as something that a goal runs in the foreground."""

    argv: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A command, and what is in its folder."""

    argv: tuple[str, ...]
    """`{chroot}` stands for the folder."""
    digest: Digest


@rule
async def command(request: CommandRequest) -> Command:
    sources = await create_digest(CreateDigest(program_sources(request.argv[0])))
    return Command((sys.executable, "-sSB", f"{{chroot}}/{PROGRAMS}", *request.argv), sources)


def rules() -> list[Any]:
    return [*collect_rules()]
