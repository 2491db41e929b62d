"""Runs a program of `inseam.sandbox` in a Pants sandbox, by CPython of a wanted minor version."""

from __future__ import annotations

import ast
import hashlib
import pkgutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Iterable

import installer
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.engine.fs import (
    EMPTY_DIGEST,
    CreateDigest,
    Digest,
    FileContent,
    RemovePrefix,
)
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam import sandbox
from inseam.compat import (
    EnvironmentTarget,
    by_name,
    create_digest,
    execute_process,
    find_interpreter,
    implicitly,
    remove_prefix,
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
_CACHE_FOLDER = ".inseam_python"
# How long a remote cache has to answer before a program is run beside it. Starting at once would
# take the machine's cores for what is about to be found.
_REMOTE_CACHE_HEAD_START_MILLIS = 1000
PROGRAMS = "programs"
MAIN = "__main__.py"
# Programs are short: collecting garbage, and tidying up at the end, would take a tenth of the time.
_MAIN_TEXT = """\
import gc
import os
import sys

gc.disable()
from inseam.sandbox.command import run

code = run(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""


class InseamError(Exception):
    """Something the user has to mend; the text says what and how."""


@dataclass(frozen=True)
class ProgramRequest:
    """A run of a sandbox program.

    argv: command and arguments. input: the sandbox it runs in. output: the folder that it writes,
    whose content is the result. minor: CPython version, as "3.11". env: variables it reads.
    cacheable: false for a program whose result depends on more than its inputs. libraries: what it
    imports besides, at the digest's root. shared: folders of the sandbox, and what is in each, that
    other runs have too: these are not copied for each run.
    """

    argv: tuple[str, ...]
    input: Digest
    output: str
    minor: str
    description: str = field(compare=False)
    env: tuple[tuple[str, str], ...] = ()
    cacheable: bool = True
    libraries: Digest = EMPTY_DIGEST
    shared: tuple[tuple[str, Digest], ...] = ()


@dataclass(frozen=True)
class ProgramResult:
    """What a program wrote, relative to its output folder, and what it said on stderr."""

    digest: Digest
    messages: str


@dataclass(frozen=True)
class InterpreterRequest:
    """CPython of a minor version, as "3.11"."""

    minor: str


@dataclass(frozen=True)
class Interpreter:
    """How a process of this machine calls CPython, with the named cache below."""

    path: str
    append_only_caches: tuple[tuple[str, str], ...]


@cache
def program_sources(command: str) -> tuple[FileContent, ...]:
    """The files that the sandbox program `command` consists of, found by following its imports."""
    files = {
        f"{PROGRAMS}/{MAIN}": _MAIN_TEXT.encode(),
        f"{PROGRAMS}/inseam/__init__.py": b"",
        f"{PROGRAMS}/inseam/sandbox/__init__.py": b"",
    }
    queue = ["command", command]
    while queue:
        name = queue.pop()
        path = f"{PROGRAMS}/inseam/sandbox/{name}.py"
        if path in files:
            continue
        source = pkgutil.get_data("inseam.sandbox", f"{name}.py")
        assert source is not None, name
        files[path] = source
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module == "inseam.sandbox":
                queue += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "inseam.sandbox."
            ):
                queue.append((node.module or "").rsplit(".", 1)[1])
            elif isinstance(node, ast.Import) and node.names[0].name == "installer":
                files.update(_installer())
    return tuple(FileContent(path, content) for path, content in sorted(files.items()))


def _installer() -> dict[str, bytes]:
    root = Path(installer.__file__).parent
    return {
        f"{PROGRAMS}/installer/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in root.rglob("*.py")
    }


@cache
def commands() -> tuple[str, ...]:
    """The names of all sandbox programs."""
    found = []
    for module in pkgutil.iter_modules(sandbox.__path__):
        source = pkgutil.get_data("inseam.sandbox", f"{module.name}.py") or b""
        if b"\ndef main(" in source and not module.name.endswith(("_test", "_testing")):
            found.append(module.name)
    return tuple(sorted(found))


@cache
def program_version(command: str) -> str:
    """A hash of all that the sandbox program `command` consists of."""
    return _version(program_sources(command))


def _version(files: Iterable[FileContent]) -> str:
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(f"{file.path}\0{len(file.content)}\0".encode() + file.content)
    return hashed.hexdigest()[:24]


@rule(desc="Find CPython for images", level=LogLevel.DEBUG)
async def prepare_interpreter(
    request: InterpreterRequest, environment: EnvironmentTarget
) -> Interpreter:
    try:
        python = await find_interpreter(
            InterpreterConstraints([f"CPython=={request.minor}.*"]), **implicitly()
        )
    except Exception as error:
        raise InseamError(
            f"There is no CPython {request.minor} on this machine, which compiles the bytecode of"
            f" images. Install it (on Debian and Ubuntu: apt-get install python{request.minor}; or"
            f" pyenv install {request.minor}), or add its folder to [python-bootstrap].search_path."
        ) from error
    files = sorted(
        {file for command in commands() for file in program_sources(command)},
        key=lambda file: file.path,
    )
    name = f"cpython-{request.minor}"
    caches = {_CACHE: _CACHE_FOLDER}
    result = await execute_process(
        Process(
            [
                python.path,
                "-sSB",
                f"{PROGRAMS}/{MAIN}",
                "install_programs",
                f"--programs={PROGRAMS}",
                f"--cache={_CACHE_FOLDER}",
                f"--interpreter={name}",
                f"--name={PROGRAMS}-{_version(files)}-{request.minor}",
                *(_installed(command, request.minor) for command in commands()),
            ],
            description=f"Install the programs for {python.path}",
            input_digest=await create_digest(CreateDigest(files)),
            append_only_caches=caches,
            cache_scope=environment.executable_search_path_cache_scope(),
            level=LogLevel.DEBUG,
            # The fingerprint makes another interpreter at the same path another process.
            env={"INSEAM_INTERPRETER": python.fingerprint},
        ),
        **implicitly(),
    )
    _check(result, f"Installing the programs for {python.path} failed")
    return Interpreter(f"{_CACHE_FOLDER}/{name}", tuple(caches.items()))


def _installed(command: str, minor: str) -> str:
    """The folder of a program in the named cache."""
    return f"{command}-{program_version(command)}-{minor}"


prepared_interpreter = by_name(prepare_interpreter)


@rule(level=LogLevel.DEBUG)
async def run_sandbox_program(request: ProgramRequest) -> ProgramResult:
    interpreter = await prepared_interpreter(InterpreterRequest(request.minor), **implicitly())
    command = request.argv[0]
    program = f"{_CACHE_FOLDER}/{_installed(command, request.minor)}/{MAIN}"
    has_libraries = request.libraries != EMPTY_DIGEST
    result = await execute_process(
        Process(
            [interpreter.path, "-sSB", program, *request.argv],
            description=request.description,
            input_digest=request.input,
            immutable_input_digests={
                **dict(request.shared),
                **({"libraries": request.libraries} if has_libraries else {}),
            },
            output_directories=[request.output],
            append_only_caches=dict(interpreter.append_only_caches),
            env={
                "PYTHONHASHSEED": "0",
                **({"PYTHONPATH": "libraries"} if has_libraries else {}),
                **dict(request.env),
            },
            remote_cache_speculation_delay_millis=_REMOTE_CACHE_HEAD_START_MILLIS,
            cache_scope=(
                ProcessCacheScope.SUCCESSFUL if request.cacheable else ProcessCacheScope.PER_SESSION
            ),
        ),
        **implicitly(),
    )
    _check(result, f"{request.description} failed")
    digest = await remove_prefix(RemovePrefix(result.output_digest, request.output))
    return ProgramResult(digest, result.stderr.decode(errors="replace"))


run_program = by_name(run_sandbox_program)


def _check(result: FallibleProcessResult, what: str) -> None:
    if result.exit_code != 0:
        text = result.stderr.decode(errors="replace").strip()
        raise InseamError(text or f"{what} with exit code {result.exit_code}.")


def rules() -> list[Any]:
    return [*collect_rules()]
