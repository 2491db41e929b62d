"""Describes what a console script starts, and checks it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.venv import SCRIPTS

# The console scripts of a service's `entry_point` and `healthcheck`, by field.
CONSOLE_SCRIPTS = {"entry_point": "entrypoint", "healthcheck": "healthcheck"}
_FIELDS = {name: field for field, name in CONSOLE_SCRIPTS.items()}

_TEXT = re.compile(r"([^=]*)=([^:\[]*)(?::([^\[]*?))?(?:(\(\))?\[(\w+)\])?", re.S)


class HttpCheck(NamedTuple):
    """The request of a probe over HTTP, except its path, and the answers that it accepts."""

    host: str = "localhost"
    """The Host header."""
    scheme: str = "http"
    """Or "https"; the certificate is not verified."""
    method: str = "GET"
    status: tuple[int, ...] = ()
    """The status codes that it accepts; () for 200 to 399."""
    timeout: float = 2
    """Seconds after which the probe is stopped."""


class EntryPoint(NamedTuple):
    """What a console script starts.

    `module` and `attribute` are an object reference (PyPA entry points specification). For an HTTP
    probe, `module` is its path, as "/health".
    """

    name: str
    """Name of the script's file."""
    module: str
    """Dotted name of the module."""
    attribute: str = ""
    """Dotted name of the function in it; "" to run the module as `python -m` does."""
    server: str = ""
    """"uvicorn" or "gunicorn" if the attribute is an application; "" otherwise."""
    is_factory: bool = False
    """Whether the attribute is a function that the server calls to get its application."""
    check: HttpCheck = HttpCheck()
    """The request of an HTTP probe."""

    @property
    def reference(self) -> str:
        """The object reference, `module:attribute`, or `module`."""
        return f"{self.module}:{self.attribute}" if self.attribute else self.module

    @property
    def is_probe(self) -> bool:
        """Whether it requests a path over HTTP, instead of running a module."""
        return self.module.startswith("/")

    @property
    def files(self) -> tuple[str, ...]:
        """The possible files of the module, best first, relative to a folder on `sys.path`."""
        if self.is_probe:
            return ()
        stem = self.module.replace(".", "/")
        if self.attribute:
            return f"{stem}/__init__.py", f"{stem}.py"
        return f"{stem}/__main__.py", f"{stem}.py"

    @property
    def console_script(self) -> str:
        """Path of its console script in the image."""
        return f"{SCRIPTS}/{self.name}"

    @property
    def described(self) -> str:
        """How it is declared, for error messages."""
        field = _FIELDS.get(self.name, self.name)
        return f"`{field}={self.reference!r}`"

    def __str__(self) -> str:
        if self.check != HttpCheck():
            return f"{self.name}={self.module} {json.dumps(self.check)}"
        called = "()" if self.is_factory else ""
        return f"{self.name}={self.reference}" + (f"{called}[{self.server}]" if self.server else "")


def parse_entry_point(text: str) -> EntryPoint:
    """Reads `name=module:attribute`, `name=module`, `name=module:attribute[server]`,
    `name=module:factory()[server]`, `name=/path` or `name=/path [...]`, with the fields of an
    HttpCheck as JSON: the form that an EntryPoint has as an argument."""
    name, _, path = text.partition("=")
    if path.startswith("/"):
        path, _, fields = path.partition(" ")
        host, scheme, method, status, timeout = json.loads(fields) if fields else HttpCheck()
        check = HttpCheck(host, scheme, method, tuple(status), timeout)
        return EntryPoint(name, path, check=check)
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Failure(f"{text!r} is not an entry point; write it like entrypoint=module:function.")
    return EntryPoint(match[1], match[2], match[3] or "", match[5] or "", bool(match[4]))


def check_entry_point(entry_point: EntryPoint, files: Mapping[str, Path]) -> None:
    """Raises Failure for an attribute that is not a name, for one that the module does not define,
    and for a function that needs arguments or is a coroutine function.

    files: first-party sources by path; a module that is not among them is not checked.
    """
    if entry_point.is_probe:
        return
    if entry_point.attribute and not all(
        part.isidentifier() for part in entry_point.attribute.split(".")
    ):
        raise Failure(
            f"{entry_point.described} must name a function, such as {entry_point.module}:main."
        )
    found = next((files[name] for name in entry_point.files if name in files), None)
    if found is not None:
        _check_module(entry_point, found)


def _check_module(entry_point: EntryPoint, path: Path) -> None:
    try:
        module = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        why = f"{error.msg}, line {error.lineno}" if isinstance(error, SyntaxError) else error
        raise Failure(
            f"the module of {entry_point.described} does not compile with Python"
            f" {'.'.join(map(str, minor_version()))}: {why}"
        ) from error
    if not entry_point.attribute:
        return
    names = set(_bound(module.body))
    if not names.intersection((entry_point.attribute.split(".")[0], "*", "__getattr__")):
        known = ", ".join(sorted(name for name in names if not name.startswith("_"))) or "nothing"
        raise Failure(
            f"{entry_point.described} names a function that its module does not define."
            f" The module defines: {known}."
        )
    if not entry_point.server or entry_point.is_factory:
        _check_call(entry_point, module)


def _check_call(entry_point: EntryPoint, module: ast.Module) -> None:
    """Raises Failure for a function that `function()` does not run. Functions with decorators, and
    names that are bound several times, are not checked.
    """
    name = entry_point.attribute
    if list(_bound(module.body)).count(name) != 1:
        return
    found = next((node for node in module.body if getattr(node, "name", None) == name), None)
    if not isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)) or found.decorator_list:
        return
    if isinstance(found, ast.AsyncFunctionDef):
        raise Failure(
            f"{entry_point.described} is `async def`, so calling it runs nothing. Name a function"
            f" that calls asyncio.run({name}())."
        )
    arguments = found.args
    positional = [*arguments.posonlyargs, *arguments.args]
    required = positional[: len(positional) - len(arguments.defaults)]
    required += [
        argument
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults)
        if default is None
    ]
    if required:
        raise Failure(
            f"{entry_point.described} is called without arguments, but"
            f" {name}({', '.join(argument.arg for argument in required)}) needs"
            f" {'one' if len(required) == 1 else len(required)}. Give"
            f" {'it a default' if len(required) == 1 else 'them defaults'}, and read"
            f" {'the environment' if entry_point.server else 'sys.argv'} in the function."
        )


def _bound(body: Iterable[ast.AST]) -> Iterator[str]:
    """Names that statements bind at the top level of a module."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            yield from (
                name
                for inner in ast.walk(node)
                if isinstance(inner, ast.Global)
                for name in inner.names
            )
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((name.asname or name.name).split(".")[0] for name in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        yield from _bound(ast.iter_child_nodes(node))
