"""Finds out how a module starts a service, from its text alone: nothing is imported or run.

A module starts a service if it has an application of a known framework at its top level, a factory
that creates one, or a program that runs until it is stopped. Without a sign of these,
`if __name__ == "__main__":` must call `main`, and nothing may look like a tool. What is uncertain
is left out, because a person completes the proposal.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Tuple

from inseam.plan.syntax import Unreadable, parse
from inseam.plan.tailor.frameworks import Framework, made_by, marked_by, served_by
from inseam.plan.tailor.groups import serving_command
from inseam.plan.tailor.modules import Definitions, define, imported, is_guard, top_level
from inseam.plan.tailor.routes import health_path, port
from inseam.plan.tailor.running import (
    dotted,
    imported_packages,
    is_command,
    is_tool,
    needs_arguments,
    runs_on,
)

_USUAL_NAMES = ("app", "application", "api")
_FACTORIES = {
    *("app_factory", "build_app", "create_api", "create_app", "create_application", "factory"),
    *("get_app", "get_application", "init_app", "make_app", "make_application"),
}
# Names of modules that may be services without any other sign.
_PROGRAMS = {
    *("agent", "api", "app", "application", "bot", "consumer", "daemon", "entrypoint", "gateway"),
    *("listener", "main", "monitor", "poller", "producer", "proxy", "publisher", "run", "runner"),
    *("scheduler", "serve", "server", "service", "start", "subscriber", "web", "worker"),
}
# Calls whose first argument is the application that they serve.
_SERVE_OTHERS = {"hypercorn.run", "uvicorn.Config", "uvicorn.run", "waitress.serve"}
# The type of `Modules.framework`: takes a dotted name and the path of the module that uses it.
Follow = Callable[[str, str], Optional[Framework]]


@dataclass(frozen=True)
class Start:
    """How a module starts a service."""

    function: str
    """A function of the module, or the application that `server` serves, such as `create_app()` if
    a function creates it; "" to run the module itself.
    """
    server: Optional[str] = None
    healthcheck_path: Optional[str] = None
    port: Optional[int] = None
    imports: frozenset[str] = frozenset()
    """Dotted names of the modules that the module imports, and of the objects in them."""
    script: Optional[str] = None
    """The console script that loads the module."""
    args: Tuple[str, ...] = ()
    """Arguments, with the placeholders of `Framework.args`."""
    env: Tuple[Tuple[str, str], ...] = ()
    serves: str = ""
    """The dotted name of an application in another module, which this module serves itself."""
    is_sure: bool = True
    """Whether there is a sign of a service other than a call of `main`."""

    @property
    def is_django(self) -> bool:
        return any(name.startswith("django.core.") for name in self.imports)


@dataclass(frozen=True)
class _Module:
    tree: ast.Module
    path: str
    names: Mapping[str, str]
    packages: frozenset[str]
    definitions: Definitions


def find_start(text: bytes, path: str = "main.py", follow: Follow | None = None) -> Start | None:
    """How a module with this text starts a service; None if it does not.

    path: that of its file, whose name may suggest a tool. follow: finds what functions of other
    modules create. Raises Unreadable.
    """
    tree = parse(text)
    try:
        names = imported(tree, path)
        module = _Module(tree, path, names, imported_packages(names), define(tree, path))
        return _start(module, follow or _nothing, text.startswith(b"#!"))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None


def find_imports(text: bytes) -> frozenset[str]:
    """The dotted names that a module with this text imports; raises Unreadable."""
    return frozenset(imported(parse(text)).values())


def _nothing(name: str, path: str) -> Framework | None:
    return made_by(name)


def _start(module: _Module, follow: Follow, is_script: bool) -> Start | None:
    imports = frozenset(module.names.values())
    application = _application(module, follow)
    if application is not None:
        return _of(module, imports, *application)
    marked = _marked(module)
    if marked is not None:
        return _of(module, imports, "", marked)
    program = _program(module, is_script)
    if program is not None:
        return _of_program(module, imports, program)
    factory = _factory(module, follow)
    if factory is not None:
        return _of(module, imports, *factory)
    return None


def _of(module: _Module, imports: frozenset[str], name: str, framework: Framework) -> Start:
    """The start of a module whose application a server or a script loads."""
    listens = port(module.tree, module.packages)
    if framework.script:
        args = tuple(one.replace("{app}", f"{{module}}:{name}") for one in framework.args)
        return Start("", None, framework.health, framework.port, imports, framework.script, args)
    path = health_path(module.tree, None if name.endswith("()") else name)
    return Start(
        name, framework.server, path or framework.health, listens, imports, args=framework.args
    )


@dataclass(frozen=True)
class _Program:
    function: str
    args: Tuple[str, ...] = ()
    is_sure: bool = True


def _of_program(module: _Module, imports: frozenset[str], program: _Program) -> Start:
    """The start of a module that runs by itself."""
    framework = _serving(module)
    listens = port(module.tree, module.packages) or (framework.port if framework else None)
    # A health check needs to know the port.
    health = health_path(module.tree, None) if listens else None
    return Start(
        program.function,
        None,
        health,
        listens,
        imports,
        args=program.args,
        env=framework.env if framework else (),
        serves=_served(module),
        is_sure=program.is_sure,
    )


def _serving(module: _Module) -> Framework | None:
    """The framework whose server the module runs; of several, one with more information."""
    best: Framework | None = None
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            framework = served_by(dotted(node.func, module.names), module.packages)
            if framework and (best is None or (framework.port and not best.port)):
                best = framework
    return best


def _application(module: _Module, follow: Follow) -> tuple[str, Framework] | None:
    """The application of a module: one with a usual name, or the only one."""
    found: dict[str, Framework] = {}
    for name, called in module.definitions.made.items():
        framework = follow(called, module.path)
        if framework is None and "." not in called:
            # Even without the other modules, definitions in this one are known.
            framework = made_by(module.definitions.returned.get(called, ""))
        if framework is not None and (framework.server or framework.script):
            found[name] = framework
    if any(one.server for one in found.values()):
        found = {name: one for name, one in found.items() if one.server}
    # An application that runs itself, as with web.run_app(app), needs no server.
    if any(one.calls for one in found.values()) and _serving(module):
        return None
    for name in _USUAL_NAMES:
        if name in found:
            return name, found[name]
    return next(iter(found.items())) if len(found) == 1 else None


def _factory(module: _Module, follow: Follow) -> tuple[str, Framework] | None:
    """The function that creates the application of a module, if there is exactly one."""
    functions = {node.name: node for node in module.tree.body if isinstance(node, ast.FunctionDef)}
    found = []
    for name, returned in module.definitions.returned.items():
        node = functions.get(name)
        framework = follow(returned, module.path) if returned else None
        if name not in _FACTORIES or node is None or not takes_nothing(node.args):
            continue
        if framework and framework.server and not framework.calls:
            found.append((f"{name}()", framework))
    return found[0] if len(found) == 1 else None


def _marked(module: _Module) -> Framework | None:
    """The framework whose script loads the module itself."""
    guarded = any(is_guard(node) for node in module.tree.body)
    for node in ast.walk(module.tree) if guarded else top_level(module.tree):
        used: list[ast.expr] = list(getattr(node, "decorator_list", ()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            used.append(node.value)
        names = [
            dotted(one.func if isinstance(one, ast.Call) else one, module.names) for one in used
        ]
        if isinstance(node, ast.ClassDef):
            names += [f"{package}.{node.name}" for package in _tops(module)]
        for name in names:
            framework = marked_by(name)
            if framework is not None and name.partition(".")[0] in module.packages:
                return framework
    return None


def _tops(module: _Module) -> list[str]:
    return sorted(one for one in module.packages if "." not in one)[:50]


def _program(module: _Module, is_script: bool) -> _Program | None:
    """How to run the module: by a function, or as the module itself."""
    tree, names, packages = module.tree, module.names, module.packages
    functions = {
        node.name: node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    guard = next((node for node in tree.body if is_guard(node)), None)
    runs = runs_on(tree, names, packages)
    main = functions.get("main")
    if runs and needs_arguments(tree, names, main or tree):
        command = serving_command(tree, names, packages, is_guarded=guard is not None)
        return _Program(*command) if command else None
    if main is not None and (takes_nothing(main.args) or is_command(main, names)):
        guarded = guard is not None and _calls_main(guard)
        stem = os.path.splitext(os.path.basename(module.path))[0]
        may_be = guarded and not is_script and _is_usual(stem)
        if runs or (may_be and not is_tool(tree, names, stem)):
            if isinstance(main, ast.FunctionDef):
                return _Program("main", is_sure=runs)
            if guarded:
                return _Program("", is_sure=runs)
    if guard is not None and runs and _runs_from(module, guard):
        return _Program(_only_call(guard, functions))
    if runs and any(isinstance(n, ast.Expr) and _is_serving(module, n.value) for n in tree.body):
        return _Program("")
    return None


def _is_usual(stem: str) -> bool:
    """Whether a module has a name that is usual for services."""
    return bool(_PROGRAMS.intersection(stem.lower().strip("_").split("_")))


def _runs_from(module: _Module, start: ast.AST) -> bool:
    """Whether a statement, or what it uses in its module, runs until it is stopped."""
    defined: dict[str, list[ast.AST]] = {}
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    defined.setdefault(target.id, []).append(node)
    left: list[ast.AST] = [start]
    while left:
        part = left.pop()
        if runs_on(part, module.names, module.packages):
            return True
        for one in ast.walk(part):
            if isinstance(one, ast.Name):
                left.extend(defined.pop(one.id, ()))
    return False


def _is_serving(module: _Module, node: ast.expr) -> bool:
    value = node.value if isinstance(node, ast.Await) else node
    return (
        isinstance(value, ast.Call)
        and served_by(dotted(value.func, module.names), module.packages) is not None
    )


def _only_call(guard: ast.AST, functions: Mapping[str, ast.AST]) -> str:
    """The function that a guard calls without arguments; "" if the guard does anything else."""
    body = getattr(guard, "body", [])
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        function = functions.get(value.func.id)
        if (
            isinstance(function, ast.FunctionDef)
            and not (function.decorator_list or value.args or value.keywords)
            and takes_nothing(function.args)
        ):
            return function.name
    return ""


def _served(module: _Module) -> str:
    """The dotted name of another module's application that this one runs."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if dotted(node.func, module.names) in _SERVE_OTHERS:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                name = first.value.replace(":", ".")
                is_factory = any(one.arg == "factory" for one in node.keywords)
                return f"{name}()" if is_factory else name
            name = dotted(first, module.names)
            if "." in name:
                return name
    return ""


def takes_nothing(arguments: ast.arguments) -> bool:
    """Whether a function can be called without arguments."""
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional == len(arguments.defaults) and None not in arguments.kw_defaults


def _calls_main(node: ast.AST) -> bool:
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "main"
        and not call.args
        for call in ast.walk(node)
    )
