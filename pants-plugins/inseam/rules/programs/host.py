"""Runs programs on the CPython that runs Pants: those that contact a server or write to `dist`, and
those that extract the interpreter on which all others run.

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

# The environment variables that programs which contact a server read.
NETWORK_ENV = (
    "SSL_CERT_FILE",
    *(name for low in ("http_proxy", "https_proxy", "no_proxy") for name in (low, low.upper())),
)

# This named cache contains a link to the machine's interpreter, and the programs with bytecode. So
# the interpreter's path and the bytecode, which differ between machines, are not part of any cache
# key, and no process has to copy and compile programs first.
_CACHE = "inseam_python"
CACHE_FOLDER = ".inseam_python"
CACHES = {_CACHE: CACHE_FOLDER}
# How long a remote cache has to answer before the program is also started locally. Starting it at
# once would use the machine's cores for results that the cache is about to deliver.
REMOTE_CACHE_HEAD_START_MILLIS = 2000
# Means the CPython that runs Pants, which every machine has.
ANY_PYTHON = "3"


@dataclass(frozen=True)
class Program:
    """A run of a program."""

    argv: tuple[str, ...]
    """Command and arguments."""
    input: Digest
    """The files of the sandbox in which it runs."""
    output: str
    """The folder that it writes; its content is the result."""
    description: str = field(compare=False)
    env: tuple[tuple[str, str], ...] = ()
    """Environment variables that it reads."""
    cacheable: bool = True
    """False if the result depends on more than the inputs."""
    libraries: Digest = EMPTY_DIGEST
    """Other modules that it imports, at the digest's root."""
    shared: tuple[tuple[str, Digest], ...] = ()
    """Folders of the sandbox with their content, for inputs that other runs share: they are not
    copied for each run.
    """
    keeps: bool = False
    """Whether it keeps files for other runs in CACHE_FOLDER."""
    level: LogLevel = field(default=LogLevel.INFO, compare=False)
    """The level at which Pants logs that it starts, ends or is cancelled."""

    @property
    def inputs(self) -> dict[str, Digest]:
        """The folders that are not copied, with their content."""
        more = {"libraries": self.libraries} if self.libraries != EMPTY_DIGEST else {}
        return {**dict(self.shared), **more}

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which it is started."""
        more = {"PYTHONPATH": "libraries"} if self.libraries != EMPTY_DIGEST else {}
        return {"PYTHONHASHSEED": "0", **more, **dict(self.env)}

    @property
    def cache_scope(self) -> ProcessCacheScope:
        """How long its result may be reused."""
        return ProcessCacheScope.SUCCESSFUL if self.cacheable else ProcessCacheScope.PER_SESSION


class ProgramFailed(Failure):
    """A program ended with a Failure, which had this text."""

    code: int
    """The `exit_code` of that Failure, which identifies its type."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class ProgramResult:
    """What a program wrote, relative to its output folder, and its output on stderr."""

    digest: Digest
    messages: str


@dataclass(frozen=True)
class HostProgramRequest:
    """Asks for a program to run on an installed CPython, of a version such as "3.11"."""

    program: Program
    python_version: str = ANY_PYTHON


@dataclass(frozen=True)
class InterpreterRequest:
    """Asks for an installed CPython of a version such as "3.11"."""

    python_version: str


@dataclass(frozen=True)
class Interpreter:
    """How processes on this machine start CPython: by a path in the named cache."""

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
            # With the fingerprint, another interpreter at the same path has another cache key.
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
    """Raises ProgramFailed, with the output of the process, if it failed."""
    if result.exit_code != 0:
        text = result.stderr.decode(errors="replace").strip()
        raise ProgramFailed(text or f"{what} with exit code {result.exit_code}.", result.exit_code)


async def program_result(program: Program, result: FallibleProcessResult) -> ProgramResult:
    """The result of a program's process; raises Failure with its error message if it failed."""
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
    """Runs a program on the CPython that runs Pants; raises Failure with its error message."""
    result: ProgramResult = await executed_on_host(HostProgramRequest(program), **implicitly())
    return result


@dataclass(frozen=True)
class CommandRequest:
    """Asks for the command with which a goal runs a program in the foreground."""

    argv: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A command, and the content of its folder."""

    argv: tuple[str, ...]
    """`{chroot}` stands for the folder."""
    digest: Digest


@rule
async def command(request: CommandRequest) -> Command:
    sources = await create_digest(CreateDigest(program_sources(request.argv[0])))
    return Command((sys.executable, "-sSB", f"{{chroot}}/{PROGRAMS}", *request.argv), sources)


def rules() -> list[Any]:
    return [*collect_rules()]
