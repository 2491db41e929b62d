"""Finds modules of the repository by their dotted names, and what creates an object in them.

Source roots need not be known: a module is found by the end of its path; of several with the same
end, the nearest one is used.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Iterator, Mapping

from inseam.plan.syntax import Unreadable, parse
from inseam.plan.tailor.frameworks import Framework, made_by
from inseam.plan.tailor.running import dotted

_MOST_FOLDERS = 20  # longest path suffix of a dotted name, in parts
_MOST_NAMESAKES = 20  # number of modules with the same name that are compared
_MOST_STEPS = 6  # number of modules to follow from one to the next


@dataclass(frozen=True)
class Definitions:
    """What the top level of a module defines, as far as applications are concerned."""

    names: Mapping[str, str] = field(default_factory=dict)
    """The dotted names that imported names stand for."""
    made: Mapping[str, str] = field(default_factory=dict)
    """The dotted name of the callable that creates each variable's value, by variable."""
    returned: Mapping[str, str] = field(default_factory=dict)
    """The dotted name of the callable, or type, of each function's return value, by function."""


class Modules:
    """The modules of a repository, by path from its root; parsed when they are needed."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.texts = texts
        self._by_name: dict[str, list[str]] = {}
        self._read: dict[str, Definitions] = {}
        for path in texts:
            for name in module_names(path):
                self._by_name.setdefault(name, []).append(path)

    def find(self, name: str, near: str = "") -> str | None:
        """The path of a module; None if there is none, or if it is not clear which one is meant."""
        found = self._by_name.get(name, ())
        if not found or len(found) == 1:
            return found[0] if found else None
        ends = {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"}
        folders = near.split("/")[:-1]
        for number in range(len(folders), -1, -1):
            root = "".join(f"{folder}/" for folder in folders[:number])
            beside = [root + end for end in sorted(ends) if root + end in self.texts]
            if beside:
                return beside[0]
        if len(found) > _MOST_NAMESAKES:
            return None
        ranked = sorted(((_shared(path, near), path) for path in found), reverse=True)
        return ranked[0][1] if ranked[0][0] > ranked[1][0] else None

    def named(self, name: str) -> list[str]:
        """The paths of all modules with a name."""
        return self._by_name.get(name, [])

    def split(self, name: str, near: str = "") -> tuple[str, str] | None:
        """The path of the module that a dotted name starts with, and the rest of the name."""
        parts = name.split(".")
        for number in range(len(parts), max(0, len(parts) - _MOST_STEPS), -1):
            path = self.find(".".join(parts[:number]), near)
            if path is not None:
                return path, ".".join(parts[number:])
        return None

    def framework(self, name: str, path: str, steps: int = _MOST_STEPS) -> Framework | None:
        """The framework whose application a call of `name` creates in the module at `path`: the
        framework's own callable, or a function of this or another module that calls it.
        """
        known = made_by(name)
        if known is not None or not steps or not name:
            return known
        if "." not in name:
            returned = self.definitions(path).returned.get(name)
            return self.framework(returned, path, steps - 1) if returned else None
        found = self.split(name, path)
        if found is None or not found[1] or "." in found[1]:
            return None
        other, function = found
        return self.framework(function, other, steps - 1) if other != path else None

    def definitions(self, path: str) -> Definitions:
        """What a module defines; nothing if it cannot be parsed."""
        if path not in self._read:
            try:
                self._read[path] = define(parse(self.texts[path]), path)
            except (Unreadable, RecursionError):
                self._read[path] = Definitions()
        return self._read[path]


def module_names(path: str) -> Iterator[str]:
    """The dotted names that the module at a path can have, depending on its source root."""
    parts = path[: -len(".py")].split("/")
    if parts[-1] == "__init__":
        parts.pop()
    for start in range(max(0, len(parts) - _MOST_FOLDERS), len(parts)):
        yield ".".join(parts[start:])


def define(module: ast.Module, path: str) -> Definitions:
    names = imported(module, path)
    made: dict[str, str] = {}
    functions = []
    for node in top_level(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.append(node)
        made.update(_made(node, names))
    return Definitions(names, made, {node.name: _returned(node, names, made) for node in functions})


def top_level(module: ast.Module) -> Iterator[ast.stmt]:
    """The statements of a module outside of functions and classes."""
    left: list[ast.stmt] = list(reversed(module.body))
    while left:
        node = left.pop()
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)) and not is_guard(node):
            inner = [*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ())]
            left.extend(reversed(inner))


def is_guard(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__":`."""
    test = node.test if isinstance(node, ast.If) else None
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def imported(module: ast.Module, path: str = "") -> dict[str, str]:
    """The dotted names that imported names stand for. Relative imports start at the root of the
    repository if `path`, the path of the module, is given.
    """
    folders = path.split("/")[:-1]
    found: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                found.setdefault(f"{alias.name} ", alias.name)
        elif isinstance(node, ast.ImportFrom):
            package = folders[-_MOST_FOLDERS:][: 1 - node.level or None] if node.level else []
            for alias in node.names:
                name = ".".join([*package, *filter(None, [node.module]), alias.name])
                found[alias.asname or alias.name] = name
    return found


def _made(node: ast.stmt, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variables to which a statement assigns the result of a call, and what it calls."""
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return
    if isinstance(value, ast.Await):
        value = value.value
    if isinstance(value, ast.Call):
        called = dotted(value.func, names)
        if isinstance(node, ast.AnnAssign) and not made_by(called):
            # The annotation says what the call does not.
            annotated = dotted(node.annotation, names)
            called = annotated if made_by(annotated) else called
        for target in targets:
            if isinstance(target, ast.Name) and called:
                yield target.id, called


def _returned(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
    names: Mapping[str, str],
    made: Mapping[str, str],
) -> str:
    annotated = dotted(function.returns, names) if function.returns else ""
    if made_by(annotated):
        return annotated
    local: dict[str, str] = dict(made)
    result = ""
    for node in ast.walk(function):
        if isinstance(node, ast.stmt):
            local.update(_made(node, names))
        if isinstance(node, ast.Return) and node.value is not None:
            value = node.value
            if isinstance(value, ast.Call):
                result = dotted(value.func, names)
            elif isinstance(value, ast.Name):
                result = f"{value.id} "
    # Variables are looked up when all assignments are known.
    return local.get(result[:-1], "") if result.endswith(" ") else result


def _shared(path: str, near: str) -> int:
    """The number of leading folders that two paths have in common."""
    number = 0
    for one, other in zip(path.split("/"), near.split("/")):
        if one != other:
            break
        number += 1
    return number
