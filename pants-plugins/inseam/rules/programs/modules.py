"""Finds the files of a program: everything that it imports. They are part of its cache key.

A program is a module in `inseam.programs`, or in the folder `programs` of another backend:
`merge`, `sbom.programs.cyclonedx`.
"""

from __future__ import annotations

import ast
import hashlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Iterable, Iterator

import installer
from pants.engine.fs import FileContent

PROGRAMS = "programs"
MAIN = "__main__.py"
# Programs are short: garbage collection and cleaning up at exit would take a tenth of the time.
_MAIN_TEXT = """\
import gc
import os
import sys

gc.disable()
# Exists for programs that were compiled for the interpreter of a base.
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "modules.zip"))
try:
    from inseam.programs.__main__ import program_module, run

    program_module(sys.argv[1])
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
_RUNNER = "inseam.programs.__main__"


@cache
def program_sources(program: str) -> tuple[FileContent, ...]:
    """The files of a program, found by following its imports."""
    files = {f"{PROGRAMS}/{MAIN}": _MAIN_TEXT.encode()}
    seen: set[str] = set()
    queue = [_RUNNER, f"inseam.{program}" if "." in program else f"inseam.programs.{program}"]
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
    """Relative path and content of one of our modules."""
    folder = module.replace(".", "/")
    for path in (f"{folder}/__init__.py", f"{folder}.py"):
        try:
            content = pkgutil.get_data("inseam", path.partition("/")[2])
        except OSError:
            continue
        assert content is not None, path
        return path, content
    raise AssertionError(f"{module} is imported, but does not exist")


def _imports(source: bytes) -> Iterator[str]:
    """Those of our modules that a source imports, and `installer`."""
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
    """The names of all programs: the modules in their folders, except tests and the runner."""
    root = Path(__file__).parents[2]
    names = _modules(root / PROGRAMS)
    for folder in root.glob(f"*/{PROGRAMS}"):
        # The modules in `rules/programs` are rules that run programs.
        if folder.parent.name != "rules":
            names += [f"{folder.parent.name}.{PROGRAMS}.{name}" for name in _modules(folder)]
    return tuple(sorted(names))


def _modules(folder: Path) -> list[str]:
    names = [module.name for module in pkgutil.iter_modules([str(folder)])]
    return [name for name in names if not name.endswith(("_test", "_testing", "__main__"))]


@cache
def all_sources() -> tuple[FileContent, ...]:
    """The files of all programs."""
    files = {file for program in program_names() for file in program_sources(program)}
    return tuple(sorted(files, key=lambda file: file.path))


@cache
def program_version(program: str) -> str:
    """A hash of all files of a program."""
    return version_of(program_sources(program))


def version_of(files: Iterable[FileContent]) -> str:
    """A hash of files."""
    hashed = hashlib.sha256()
    for file in files:
        hashed.update(f"{file.path}\0{len(file.content)}\0".encode() + file.content)
    return hashed.hexdigest()[:24]
