"""Finds programs that do not end at SIGTERM if they are the first process of a container.

For that process the kernel ignores signals without a handler, and Python installs none for SIGTERM
(pid_namespaces(7)).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from inseam.formats.python.entry_point import EntryPoint
from inseam.formats.python.standard import parsed

# Names of functions and methods that return only when the program ends, and install no handler.
_ENDLESS = {
    "serve_forever",
    "run_forever",
    "start_consuming",
    "wait_for_termination",
}
# What shows that code may handle the signal, and libraries that handle it when they run.
_HANDLED = (b"SIGTERM", b"add_signal_handler", b"signal.signal", b"sigwait")
_LIBRARIES = re.compile(
    rb"\b(aiohttp|aiorun|airflow|apscheduler|arq|celery|dagster|dramatiq|faust|gradio|granian|"
    rb"gunicorn|hypercorn|kopf|nameko|prefect|procrastinate|rq|sanic|streamlit|twisted|uvicorn|"
    rb"uwsgi|waitress)\b"
)


class Endless(NamedTuple):
    """A program that runs for ever."""

    program: str
    """Name of its console script."""
    path: str
    """Path of its file, relative to its source root."""
    line: int
    """Line of the statement that runs for ever."""


class Termination(NamedTuple):
    """What some first-party files say about SIGTERM."""

    handled: bool
    """Whether any of them may handle it."""
    endless: tuple[Endless, ...]


def load_termination(text: bytes) -> Termination:
    """Reads a Termination that was written as JSON."""
    handled, endless = json.loads(text)
    return Termination(handled, tuple(Endless(*one) for one in endless))


def merged_termination(parts: Iterable[Termination]) -> Termination:
    """The Termination of a service, from those of its parts."""
    parts = tuple(parts)
    if any(part.handled for part in parts):
        return Termination(True, ())
    return Termination(False, tuple(sorted({one for part in parts for one in part.endless})))


def termination_of(files: Mapping[str, Path], entry_points: Iterable[EntryPoint]) -> Termination:
    """The Termination of first-party files, by path. Only entry points among them are examined."""
    sources = {path: file.read_bytes() for path, file in files.items() if path.endswith(".py")}
    if any(mark in source for source in sources.values() for mark in _HANDLED):
        return Termination(True, ())
    found = []
    for one in entry_points:
        path = next((path for path in one.files if path in sources), None)
        if path is None or one.server or _LIBRARIES.search(sources[path]):
            continue
        line = _endless(parsed(sources[path]), one.attribute)
        if line:
            found.append(Endless(one.name, path, line))
    return Termination(False, tuple(found))


def _endless(module: ast.Module, function: str) -> int:
    """The line from which a function, or the module without one, runs for ever; 0 for none."""
    body: list[ast.stmt] = module.body
    if function:
        body = [
            inner
            for node in module.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == function
            for inner in node.body
        ]
    return next((node.lineno for node in _run(body) if _is_endless(node)), 0)


def _run(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run, except those in functions that these define."""
    for node in body:
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for name in ("body", "orelse", "finalbody"):
                yield from _run(getattr(node, name, ()))


def _is_endless(node: ast.stmt) -> bool:
    if isinstance(node, ast.While):
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        return endless and not any(
            isinstance(inner, (ast.Break, ast.Return)) for inner in ast.walk(node)
        )
    value = getattr(node, "value", None)
    call = value.value if isinstance(value, ast.Await) else value
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in _ENDLESS
    )
