"""Finds the command that runs a service among those of a click or typer program."""

from __future__ import annotations

import ast
from typing import AbstractSet, Mapping

from inseam.plan.tailor.running import dotted, needs_option, runs_on

_GROUPS = {"asyncclick.Group", "asyncclick.group", "click.Group", "click.group", "typer.Typer"}


def serving_command(
    module: ast.Module,
    names: Mapping[str, str],
    packages: AbstractSet[str],
    *,
    is_guarded: bool,
) -> tuple[str, tuple[str, ...]] | None:
    """How to run the command that runs a service, if there is exactly one: a function, or "" for
    the module itself, and its arguments.

    is_guarded: whether the module itself can be run.
    """
    groups = _groups(module, names)
    commands: dict[str, list[tuple[str, ast.FunctionDef]]] = {group: [] for group in groups}
    called_back = set()
    for node in module.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            method = call.func if call else decorator
            if not isinstance(method, ast.Attribute) or not isinstance(method.value, ast.Name):
                continue
            group = method.value.id
            if group in groups and method.attr == "command":
                commands[group].append((_name(node, call), node))
            elif group in groups and method.attr == "callback":
                called_back.add(group)
    found = []
    for group, members in commands.items():
        for name, function in members:
            if runs_on(function, names, packages) and not _needs(function, names, groups[group]):
                alone = groups[group] == "typer.Typer" and len(members) == 1
                args = () if alone and group not in called_back else (name,)
                found.append(("" if is_guarded else group, args))
    return found[0] if len(found) == 1 else None


def _groups(module: ast.Module, names: Mapping[str, str]) -> dict[str, str]:
    """The dotted names of the callables that create groups of commands, by variable or function."""
    found = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = dotted(node.value.func, names)
            for target in node.targets:
                if made in _GROUPS and isinstance(target, ast.Name):
                    found[target.id] = made
        elif isinstance(node, ast.FunctionDef):
            for one in node.decorator_list:
                made = dotted(one.func if isinstance(one, ast.Call) else one, names)
                if made in _GROUPS:
                    found[node.name] = made
    return found


def _name(function: ast.FunctionDef, call: ast.Call | None) -> str:
    given = [*(call.args[:1] if call else ())]
    given += [one.value for one in (call.keywords if call else ()) if one.arg == "name"]
    for one in given:
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            return one.value
    return function.name.replace("_", "-")


def _needs(function: ast.FunctionDef, names: Mapping[str, str], group: str) -> bool:
    if group != "typer.Typer":
        return needs_option(function, names)
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional != len(arguments.defaults) or None in arguments.kw_defaults
