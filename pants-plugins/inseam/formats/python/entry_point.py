"""Names what starts a program: an object reference, and the field of the target that has it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.venv import SCRIPTS

# Where the console script of an entry point lies in the image, by the field that names it.
CONSOLE_SCRIPTS = {
    "entry_point": f"{SCRIPTS}/entrypoint",
    "healthcheck": f"{SCRIPTS}/healthcheck",
}


class EntryPoint(NamedTuple):
    """An object reference (PyPA entry points specification) and where it comes from.

    field: of the target that names it, a key of CONSOLE_SCRIPTS. module: dotted name. attribute:
    dotted name of the function in it.
    """

    field: str
    module: str
    attribute: str

    @property
    def reference(self) -> str:
        """The object reference, `module:attribute`."""
        return f"{self.module}:{self.attribute}"

    @property
    def files(self) -> tuple[str, str]:
        """The files in which the module can be, best first, relative to a folder of `sys.path`."""
        stem = self.module.replace(".", "/")
        return f"{stem}/__init__.py", f"{stem}.py"

    @property
    def console_script(self) -> str:
        """Path of its console script in the image."""
        return CONSOLE_SCRIPTS[self.field]

    def __str__(self) -> str:
        return f"{self.field}={self.reference}"


def parse_entry_point(text: str) -> EntryPoint:
    """Reads `field=module:attribute`, the form that an EntryPoint has as an argument."""
    field, _, reference = text.partition("=")
    module, _, attribute = reference.partition(":")
    return EntryPoint(field, module, attribute)


def check_entry_point(entry_point: EntryPoint, files: Mapping[str, Path]) -> None:
    """Raises Failure for an attribute that is not a name, and for one that the module lacks.

    files: first-party sources by path; of a module that is not among them nothing is known.
    """
    if not all(part.isidentifier() for part in entry_point.attribute.split(".")):
        raise Failure(
            f"{_described(entry_point)} must name a function, as in {entry_point.module}:main"
        )
    found = next((files[name] for name in entry_point.files if name in files), None)
    if found is not None:
        _check_attribute(entry_point, found)


def _described(entry_point: EntryPoint) -> str:
    return f"`{entry_point.field}={entry_point.reference!r}`"


def _check_attribute(entry_point: EntryPoint, module: Path) -> None:
    try:
        names = set(_bound(ast.parse(module.read_bytes()).body))
    except (SyntaxError, ValueError) as error:
        why = f"{error.msg}, line {error.lineno}" if isinstance(error, SyntaxError) else error
        raise Failure(
            f"the module of {_described(entry_point)} does not compile with Python"
            f" {'.'.join(map(str, minor_version()))}: {why}"
        ) from error
    if names.intersection((entry_point.attribute.split(".")[0], "*", "__getattr__")):
        return
    known = ", ".join(sorted(name for name in names if not name.startswith("_"))) or "nothing"
    raise Failure(
        f"{_described(entry_point)} names a function that its module does not define."
        f" The module defines: {known}."
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
