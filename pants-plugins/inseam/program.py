"""Runs a program of `inseam.sandbox` in a Pants sandbox, by CPython of a wanted minor version."""

from __future__ import annotations

import ast
import pkgutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import installer
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    CreateDigest,
    Digest,
    FileContent,
    MergeDigests,
    RemovePrefix,
)
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import (
    EnvironmentTarget,
    add_prefix,
    by_name,
    create_digest,
    execute_process,
    find_interpreter,
    implicitly,
    merge_digests,
    remove_prefix,
)

# What the programs that reach a server read of the environment.
NETWORK_ENV = (
    "SSL_CERT_FILE",
    *(name for low in ("http_proxy", "https_proxy", "no_proxy") for name in (low, low.upper())),
)

# A link to the machine's interpreter lies in this named cache, so that its path is no part of
# what a process is cached by: machines that share a remote cache may have it anywhere.
_CACHE = "inseam_python"
_CACHE_FOLDER = ".inseam_python"
# How long a remote cache has to answer before a program is run beside it. Starting at once would
# take the machine's cores for what is about to be found.
_REMOTE_CACHE_HEAD_START_MILLIS = 1000
PROGRAMS = "programs"
_LINK = """\
import os, sys
link = sys.argv[1]
os.makedirs(os.path.dirname(link), exist_ok=True)
temporary = f"{link}.{os.getpid()}"
os.symlink(sys.executable, temporary)
os.replace(temporary, link)
"""
_MAIN = "import sys\nfrom inseam.sandbox.command import run\nsys.exit(run(sys.argv[1:]))\n"


class InseamError(Exception):
    """Something the user has to mend; the text says what and how."""


@dataclass(frozen=True)
class ProgramRequest:
    """A run of a sandbox program.

    argv: command and arguments. input: the sandbox it runs in. output: the folder that it writes,
    whose content is the result. minor: CPython version, as "3.11". env: variables it reads.
    cacheable: false for a program whose result depends on more than its inputs. libraries: what it
    imports besides, at the digest's root.
    """

    argv: tuple[str, ...]
    input: Digest
    output: str
    minor: str
    description: str = field(compare=False)
    env: tuple[tuple[str, str], ...] = ()
    cacheable: bool = True
    libraries: Digest = EMPTY_DIGEST


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
        f"{PROGRAMS}/__main__.py": _MAIN.encode(),
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


@rule(desc="Find CPython for images", level=LogLevel.DEBUG)
async def link_interpreter(
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
    link = f"{_CACHE_FOLDER}/cpython-{request.minor}"
    caches = {_CACHE: _CACHE_FOLDER}
    result = await execute_process(
        Process(
            [python.path, "-sSBc", _LINK, link],
            description=f"Link {python.path}",
            append_only_caches=caches,
            cache_scope=environment.executable_search_path_cache_scope(),
            level=LogLevel.DEBUG,
            # The fingerprint makes another interpreter at the same path another process.
            env={"INSEAM_INTERPRETER": python.fingerprint},
        ),
        **implicitly(),
    )
    _check(result, f"Linking {python.path} failed")
    return Interpreter(link, tuple(caches.items()))


link_python = by_name(link_interpreter)


@rule(level=LogLevel.DEBUG)
async def run_sandbox_program(request: ProgramRequest) -> ProgramResult:
    interpreter = await link_python(InterpreterRequest(request.minor), **implicitly())
    programs = await create_digest(CreateDigest(program_sources(request.argv[0])))
    libraries = await add_prefix(AddPrefix(request.libraries, PROGRAMS))
    sandbox = await merge_digests(MergeDigests([programs, libraries, request.input]))
    result = await execute_process(
        Process(
            [interpreter.path, "-sSB", PROGRAMS, *request.argv],
            description=request.description,
            input_digest=sandbox,
            output_directories=[request.output],
            append_only_caches=dict(interpreter.append_only_caches),
            env={"PYTHONHASHSEED": "0", **dict(request.env)},
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
