"""Decides from the text of a module whether its program runs until it is stopped, like a service.

The text of most programs does not show this, because the functions that they call keep them
running. So this module looks for signs of a service, which only servers and workers have, and for
signs of a tool, which people use, or which does its work once and ends.
"""

from __future__ import annotations

import ast
import re
from typing import AbstractSet, Iterator, Mapping

from inseam.plan.tailor.frameworks import served_by

_MOST_PARTS = 50  # longest dotted name, in parts
# Functions that wait for work, or until it is time to look for work.
_WAITS = {
    *("accept", "blpop", "brpop", "get_message", "poll", "receive", "receive_message", "recv"),
    *("select", "sleep", "wait"),
}
# Names that mean that a worker is stopped from outside, not that its work is done.
_STOPS = {"BaseException", "CancelledError", "KeyboardInterrupt", "SystemExit"}
# Command line parsers. This module understands the arguments of the first ones.
_READABLE_COMMAND_LINES = {"argparse", "asyncclick", "click"}
_COMMAND_LINES = _READABLE_COMMAND_LINES | {
    *("cyclopts", "docopt", "fire", "getopt", "optparse", "typer"),
}
_PARSERS = {"parse_args", "parse_known_args"}
# Names of programs that do their work once, such as "bootstrap.py" or "build_index.py".
_WORK = {
    *("backfill", "bootstrap", "build", "bump", "clean", "cleanup", "convert", "create", "delete"),
    *("download", "drop", "dump", "format", "gen", "generate", "init", "initialize", "install"),
    *("lint", "migrate", "migration", "migrations", "populate", "provision", "release", "reset"),
    *("restore", "seed", "setup", "uninstall", "upgrade", "validate", "verify"),
}


def imported_packages(names: Mapping[str, str]) -> frozenset[str]:
    """The packages and modules that the names of imports come from: `a`, `a.b` and `a.b.c`."""
    found: set[str] = set()
    for name in names.values():
        parts = name.split(".")[:_MOST_PARTS]
        found.update(".".join(parts[:number]) for number in range(1, len(parts) + 1))
    return frozenset(found)


def runs_on(module: ast.AST, names: Mapping[str, str], packages: AbstractSet[str]) -> bool:
    """Whether a module, or a part of it, has a sign of a service: it calls a server, or has an
    endless loop.

    names: the dotted names that imported names stand for. packages: those that they come from.
    """
    return any(
        (isinstance(node, ast.Call) and served_by(dotted(node.func, names), packages))
        or (isinstance(node, ast.While) and _is_endless(node))
        for node in ast.walk(module)
    )


def is_tool(module: ast.Module, names: Mapping[str, str], name: str) -> bool:
    """Whether a module has a sign of a tool. name: that of its file, without the suffix."""
    return (
        re.split(r"[_\-.]", name.lower().strip("_"))[0] in _WORK
        or bool(_command_lines(names))
        or any(
            dotted(node, names) == "sys.argv"
            or (isinstance(node, ast.Call) and _asks(dotted(node.func, names)))
            for node in ast.walk(module)
            if isinstance(node, (ast.Attribute, ast.Call, ast.Name))
        )
    )


def needs_arguments(module: ast.Module, names: Mapping[str, str], main: ast.AST) -> bool:
    """Whether a program needs, or may need, arguments to start. main: the function that runs."""
    used = _command_lines(names)
    if used - _READABLE_COMMAND_LINES:
        return True
    if used - {"argparse"} and not is_command(main, names):
        # It runs one of several commands.
        return True
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        called = _last(dotted(node.func, names))
        if called == "add_subparsers":
            return True
        if called == "add_argument" and _is_required(node, {"?", "*"}, "-"):
            return True
    return needs_option(main, names)


def needs_option(function: ast.AST, names: Mapping[str, str]) -> bool:
    """Whether a click command needs an option or an argument."""
    return any(
        isinstance(node, ast.Call)
        and (
            (_click(node, names) == "argument" and _is_required(node, {-1}, None))
            or (_click(node, names) == "option" and _is_required(node, set(), ""))
        )
        for node in getattr(function, "decorator_list", ())
    )


def is_command(function: ast.AST, names: Mapping[str, str]) -> bool:
    """Whether click calls a function, with the arguments that it has read, and needs no others."""
    for node in getattr(function, "decorator_list", ()):
        call = node if isinstance(node, ast.Call) else None
        made = _click(node, names)
        if made == "command" or (
            made == "group" and call and _is_true(call, "invoke_without_command")
        ):
            return True
    return False


def dotted(node: ast.AST, names: Mapping[str, str]) -> str:
    """The dotted name that an expression stands for, with "()" after each part that is called; ""
    for any other expression.
    """
    parts: list[str] = []
    while len(parts) < _MOST_PARTS:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call) and parts:
            parts[-1] = f"().{parts[-1]}"
            node = node.func
        elif isinstance(node, ast.Name):
            return ".".join([names.get(node.id, node.id), *reversed(parts)]).replace(".()", "()")
        else:
            return ""
    return ""


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _command_lines(names: Mapping[str, str]) -> set[str]:
    """The command line parsers that a module imports."""
    return {name.split(".")[0] for name in names.values()} & _COMMAND_LINES


def _asks(name: str) -> bool:
    """Whether a function of this name prompts people, or reads a command line."""
    return name in ("input", "getpass.getpass") or _last(name) in _PARSERS


def _is_true(call: ast.Call, name: str) -> bool:
    return any(
        keyword.arg == name and isinstance(keyword.value, ast.Constant) and keyword.value.value
        for keyword in call.keywords
    )


def _click(node: ast.AST, names: Mapping[str, str]) -> str:
    """`command` for a use of `click.command`, and so on; "" for anything else."""
    name = dotted(node.func if isinstance(node, ast.Call) else node, names)
    package, _, rest = name.partition(".")
    return _last(rest) if package in _READABLE_COMMAND_LINES else ""


def _is_required(call: ast.Call, optional: set[object], option: str | None) -> bool:
    """Whether an argument is required. optional: the values of `nargs` for optional ones.

    option: the prefix of the names of options; None if there are no options.
    """
    given = {
        keyword.arg: keyword.value.value
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Constant)
    }
    # A negative number is an expression.
    for keyword in call.keywords:
        if keyword.arg == "nargs" and isinstance(keyword.value, ast.UnaryOp):
            given["nargs"] = -1
    if "required" in given:
        return bool(given["required"])
    if option is not None:
        first = call.args[0] if call.args else None
        name = first.value if isinstance(first, ast.Constant) else option
        if str(name).startswith(option):
            return False
    return given.get("nargs") not in optional and "default" not in {
        keyword.arg for keyword in call.keywords
    }


def _is_endless(loop: ast.While) -> bool:
    """Whether a loop waits for work and ends only when it is stopped from outside."""
    test = loop.test
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        # `while not stop.is_set()`.
        asked = test.operand
        return isinstance(asked, ast.Call) and _last(dotted(asked.func, {})) == "is_set"
    return (
        isinstance(test, ast.Constant)
        and bool(test.value)
        and any(
            isinstance(node, ast.Call) and _last(dotted(node.func, {})) in _WAITS
            for node in ast.walk(loop)
        )
        and not any(_ends(node) for node in loop.body)
    )


def _ends(node: ast.AST, *, inner: bool = False) -> bool:
    """Whether a statement in a loop ends the loop. inner: whether it is in a nested loop."""
    if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)):
        return True
    if isinstance(node, ast.Break):
        return not inner
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
        return False
    if isinstance(node, ast.ExceptHandler) and node.type and set(_caught(node.type)) & _STOPS:
        return False
    inner = inner or isinstance(node, (ast.While, ast.For, ast.AsyncFor))
    return any(_ends(child, inner=inner) for child in ast.iter_child_nodes(node))


def _caught(node: ast.expr) -> Iterator[str]:
    for one in node.elts if isinstance(node, ast.Tuple) else [node]:
        yield _last(dotted(one, {}))
