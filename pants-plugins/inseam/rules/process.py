"""Runs a program of `inseam.programs` in a Pants sandbox, by CPython of a wanted version.

What a program consists of, how it gets onto the machine and how it is started belong together: all
three make up the key by which its results are cached.
"""

from __future__ import annotations

import ast
import hashlib
import pkgutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Iterable, Iterator

import installer
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, Digest, FileContent, RemovePrefix
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import collect_rules, rule
from pants.util.logging import LogLevel

from inseam.compat import (
    EnvironmentTarget,
    by_name,
    create_digest,
    execute_process,
    find_interpreter,
    implicitly,
    remove_prefix,
)
from inseam.formats.failure import Failure

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
try:
    from importlib import import_module

    from inseam.programs.__main__ import run

    import_module("inseam.programs." + sys.argv[1])
except Exception as error:
    sys.exit(
        "The programs of Inseam in " + os.path.dirname(os.path.realpath(__file__)) + " are damaged"
        " (" + repr(error) + "). Run the same command with --no-pantsd, which installs them again."
    )
code = run(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""
_PACKAGE = "inseam.programs"
_RUNNER = f"{_PACKAGE}.__main__"


@dataclass(frozen=True)
class ProgramRequest:
    """A run of a program.

    argv: command and arguments. input: the sandbox it runs in. output: the folder that it writes,
    whose content is the result. python_version: of CPython, as "3.11". env: variables it reads.
    cacheable: false for a program whose result depends on more than its inputs. libraries: what it
    imports besides, at the digest's root. shared: folders of the sandbox, and what is in each, that
    other runs have too: these are not copied for each run. level: from which on Pants' log says
    that it starts, ends or is cancelled.
    """

    argv: tuple[str, ...]
    input: Digest
    output: str
    python_version: str
    description: str = field(compare=False)
    env: tuple[tuple[str, str], ...] = ()
    cacheable: bool = True
    libraries: Digest = EMPTY_DIGEST
    shared: tuple[tuple[str, Digest], ...] = ()
    level: LogLevel = field(default=LogLevel.INFO, compare=False)


@dataclass(frozen=True)
class ProgramResult:
    """What a program wrote, relative to its output folder, and what it said on stderr."""

    digest: Digest
    messages: str


# The version of CPython for programs whose result does not depend on it.
ANY_PYTHON = "3"


def _constraints(python_version: str) -> InterpreterConstraints:
    wanted = ">=3.9,<4" if python_version == ANY_PYTHON else f"=={python_version}.*"
    return InterpreterConstraints([f"CPython{wanted}"])


@dataclass(frozen=True)
class InterpreterRequest:
    """CPython of a version, as "3.11"."""

    python_version: str


@dataclass(frozen=True)
class Interpreter:
    """How a process of this machine calls CPython, with the named cache below."""

    path: str
    append_only_caches: tuple[tuple[str, str], ...]


@cache
def program_sources(program: str) -> tuple[FileContent, ...]:
    """The files that `inseam.programs.<program>` consists of, found by following its imports."""
    files = {f"{PROGRAMS}/{MAIN}": _MAIN_TEXT.encode()}
    seen: set[str] = set()
    queue = [_RUNNER, f"{_PACKAGE}.{program}"]
    while queue:
        module = queue.pop()
        if module in seen:
            continue
        seen.add(module)
        if module.split(".")[0] == "installer":
            files.update(_installer())
            continue
        path, content = _source(module)
        files[f"{PROGRAMS}/{path}"] = content
        queue += [module.rpartition(".")[0]] if "." in module else []
        queue += _imports(content)
    return tuple(FileContent(path, content) for path, content in sorted(files.items()))


def _source(module: str) -> tuple[str, bytes]:
    """Relative path and content of a module of ours."""
    folder = module.replace(".", "/")
    for path in (f"{folder}/__init__.py", f"{folder}.py"):
        try:
            content = pkgutil.get_data("inseam", path.partition("/")[2])
        except OSError:
            continue
        assert content is not None, path
        return path, content
    raise AssertionError(f"{module} is imported, but is not there")


def _imports(source: bytes) -> Iterator[str]:
    """The modules of ours, and `installer`, that a source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if _shipped(name.name))
        elif isinstance(node, ast.ImportFrom) and _shipped(node.module or ""):
            assert node.module is not None
            yield node.module
            if node.module.startswith("inseam") and _source(node.module)[0].endswith("__init__.py"):
                yield from (f"{node.module}.{name.name}" for name in node.names)


def _shipped(module: str) -> bool:
    return module.split(".")[0] in ("inseam", "installer")


def _installer() -> dict[str, bytes]:
    root = Path(installer.__file__).parent
    return {
        f"{PROGRAMS}/installer/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in root.rglob("*.py")
    }


@cache
def program_names() -> tuple[str, ...]:
    """The names of all programs: the modules in their folder, but for tests and the runner."""
    names = (
        module.name
        for module in pkgutil.iter_modules([str(Path(__file__).parents[1] / "programs")])
    )
    return tuple(
        sorted(name for name in names if not name.endswith(("_test", "_testing", "__main__")))
    )


@cache
def program_version(program: str) -> str:
    """A hash of all that the program consists of."""
    return _version(program_sources(program))


def _version(files: Iterable[FileContent]) -> str:
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(f"{file.path}\0{len(file.content)}\0".encode() + file.content)
    return hashed.hexdigest()[:24]


@rule(desc="Find CPython for images", level=LogLevel.DEBUG)
async def prepare_interpreter(
    request: InterpreterRequest, environment: EnvironmentTarget
) -> Interpreter:
    version = request.python_version
    try:
        python = await find_interpreter(_constraints(version), **implicitly())
    except Exception as error:
        raise Failure(
            f"CPython {version}, which compiles the bytecode of images, was not found on this"
            f" machine. Install it (Debian and Ubuntu: apt-get install python{version}; anywhere:"
            f" pyenv install {version}), or add its folder to [python-bootstrap].search_path."
        ) from error
    files = sorted(
        {file for program in program_names() for file in program_sources(program)},
        key=lambda file: file.path,
    )
    name = f"cpython-{request.python_version}"
    caches = {_CACHE: CACHE_FOLDER}
    result = await execute_process(
        Process(
            [
                python.path,
                "-sSB",
                f"{PROGRAMS}/{MAIN}",
                "install_programs",
                f"--programs={PROGRAMS}",
                f"--cache={CACHE_FOLDER}",
                f"--interpreter={name}",
                f"--name={PROGRAMS}-{_version(files)}-{request.python_version}",
                *(_installed(program, request.python_version) for program in program_names()),
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
    return Interpreter(f"{CACHE_FOLDER}/{name}", tuple(caches.items()))


def _installed(program: str, python_version: str) -> str:
    """The folder of a program in the named cache."""
    return f"{program}-{program_version(program)}-{python_version}"


prepared_interpreter = by_name(prepare_interpreter)


@rule(level=LogLevel.DEBUG)
async def execute_program(request: ProgramRequest) -> ProgramResult:
    interpreter = await prepared_interpreter(
        InterpreterRequest(request.python_version), **implicitly()
    )
    program = f"{CACHE_FOLDER}/{_installed(request.argv[0], request.python_version)}/{MAIN}"
    has_libraries = request.libraries != EMPTY_DIGEST
    result = await execute_process(
        Process(
            [interpreter.path, "-sSB", program, *request.argv],
            description=request.description,
            level=request.level,
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


run_program = by_name(execute_program)


def _check(result: FallibleProcessResult, what: str) -> None:
    if result.exit_code != 0:
        text = result.stderr.decode(errors="replace").strip()
        raise Failure(text or f"{what} with exit code {result.exit_code}.")


@dataclass(frozen=True)
class CommandRequest:
    """A program, with its arguments, as something that a goal runs in the foreground."""

    argv: tuple[str, ...]
    python_version: str


@dataclass(frozen=True)
class Command:
    """A command and what is in its folder; `{chroot}` stands for that folder."""

    argv: tuple[str, ...]
    digest: Digest


@rule
async def prepare_command(request: CommandRequest) -> Command:
    python = await find_interpreter(_constraints(request.python_version), **implicitly())
    sources = await create_digest(CreateDigest(program_sources(request.argv[0])))
    return Command((python.path, "-sSB", f"{{chroot}}/{PROGRAMS}", *request.argv), sources)


command = by_name(prepare_command)


def rules() -> list[Any]:
    return [*collect_rules()]
