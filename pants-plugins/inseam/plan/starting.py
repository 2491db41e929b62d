"""Says how a module starts a service, from its text alone: nothing is imported or run.

A module starts a service if it has an application of a known framework at its top level, or a
function `main` that runs until it is stopped. Without a sign of that, `if __name__ == "__main__":`
has to call `main`, and nothing may look like a tool. Tests, and scripts for people, are not
services. What cannot be seen for sure is left out: a proposal is for a person to complete.
"""

from __future__ import annotations

import ast
import fnmatch
import os
import re
from dataclasses import dataclass
from typing import Iterator, Optional

from inseam.plan.running import dotted, is_command, is_tool, needs_arguments, runs_on
from inseam.plan.syntax import Unreadable, parse

# What makes an application, and the server for it.
_FRAMEWORKS = {
    "blacksheep.Application": "uvicorn",
    "django.core.asgi.get_asgi_application": "uvicorn",
    "falcon.asgi.App": "uvicorn",
    "fastapi.FastAPI": "uvicorn",
    "litestar.Litestar": "uvicorn",
    "quart.Quart": "uvicorn",
    "starlette.applications.Starlette": "uvicorn",
    "bottle.Bottle": "gunicorn",
    "django.core.wsgi.get_wsgi_application": "gunicorn",
    "falcon.API": "gunicorn",
    "falcon.App": "gunicorn",
    "flask.Flask": "gunicorn",
}
_USUAL_NAMES = ("app", "application", "api")
# Best first.
_HEALTH_PATHS = (
    *("/health", "/healthz", "/livez", "/live", "/ping", "/-/healthy", "/_health"),
    *("/api/health", "/api/healthz", "/status", "/readyz", "/ready", "/heartbeat"),
)
# Methods that declare a route, with the path as the first argument, or as the second one.
_ROUTES = {
    *("add", "add_api_route", "add_get", "add_route", "add_url_rule", "api_route", "get"),
    *("head", "path", "route", "Route"),
}
_FOLDERS_OF_OTHERS = {
    *("bench", "benchmark", "benchmarks", "bin", "ci", "doc", "docs", "example", "examples"),
    *("fixtures", "hack", "migrations", "notebooks", "script", "scripts", "test", "testing"),
    *("tests", "tool", "tools"),
}
_FILES_OF_OTHERS = (
    *("test_*.py", "*_test.py", "tests.py", "conftest.py", "test_utils.py", "setup.py"),
    *("manage.py", "noxfile.py", "tasks.py", "fabfile.py", "conf.py", "*.pyi"),
)
_SERVERS_WITH_ADDRESS = re.compile(r"(\w*HTTPServer|\w*TCPServer|\w*WSGIServer)\Z")
_STARTERS = {"make_server", "run", "run_app", "serve", "start_server"}


@dataclass(frozen=True)
class Start:
    """How a module starts a service."""

    function: str
    """Of the module, or the application that `server` serves; "" to run the module itself."""
    server: Optional[str] = None
    healthcheck_path: Optional[str] = None
    port: Optional[int] = None
    imports: frozenset[str] = frozenset()
    """Dotted names that the module imports, of modules and of what is in them."""

    @property
    def is_django(self) -> bool:
        return any(name.startswith("django.core.") for name in self.imports)


def is_candidate(path: str) -> bool:
    """Whether a file may be a service's, by its path from the root of the repository."""
    *folders, name = path.split("/")
    if any(part.startswith(".") or part.lower() in _FOLDERS_OF_OTHERS for part in folders):
        return False
    return not any(fnmatch.fnmatchcase(name, pattern) for pattern in _FILES_OF_OTHERS)


def find_start(text: bytes, path: str = "main.py") -> Start | None:
    """How a module with this text starts a service; None if it does not.

    path: of its file, whose name may be that of a tool. Raises Unreadable.
    """
    if text.startswith(b"#!"):
        return None
    module = parse(text)
    try:
        return _start(module, path)
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None


def _start(module: ast.Module, path: str) -> Start | None:
    names = _imported(module)
    imports = frozenset(names.values())
    app = _application(module, names)
    if app is not None:
        name, server = app
        return Start(name, server, _health_path(module, name), _port(module), imports)
    function = _main(module, names, os.path.splitext(os.path.basename(path))[0])
    if function is None:
        return None
    port = _port(module)
    # The check asks the port, which has to be known.
    health = _health_path(module, None) if port else None
    return Start(function, None, health, port, imports)


def find_imports(text: bytes) -> frozenset[str]:
    """The dotted names that a module with this text imports; raises Unreadable."""
    return frozenset(_imported(parse(text)).values())


def _imported(module: ast.Module) -> dict[str, str]:
    """What the names of imports stand for, as dotted names."""
    found: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                found.setdefault(f"{alias.name} ", alias.name)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}" if node.module else alias.name
                found[alias.asname or alias.name] = name
    return found


def _application(module: ast.Module, names: dict[str, str]) -> tuple[str, str] | None:
    """The application of a module, and its server: one with a usual name, or the only one."""
    found: dict[str, str] = {}
    for node in module.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        if not isinstance(value, ast.Call):
            continue
        called = dotted(value.func, names)
        server = _FRAMEWORKS.get(called) or _FRAMEWORKS.get(_public(called))
        for target in targets:
            if server and isinstance(target, ast.Name):
                found[target.id] = server
    for name in _USUAL_NAMES:
        if name in found:
            return name, found[name]
    return next(iter(found.items())) if len(found) == 1 else None


def _public(name: str) -> str:
    """`fastapi.FastAPI` for `fastapi.applications.FastAPI`."""
    parts = name.split(".")
    return f"{parts[0]}.{parts[-1]}"


def _main(module: ast.Module, names: dict[str, str], name: str) -> str | None:
    """What runs `main`: its name, or "" for the module itself, which runs a coroutine."""
    functions = {
        node.name: node
        for node in module.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    main = functions.get("main")
    if main is None or not (_takes_nothing(main.args) or is_command(main, names)):
        return None
    guarded = any(
        isinstance(node, ast.If) and _is_guard(node.test) and _calls_main(node)
        for node in module.body
    )
    if runs_on(module, names):
        if needs_arguments(module, names, main):
            return None
    elif not guarded or is_tool(module, names, name):
        return None
    if isinstance(main, ast.FunctionDef):
        return "main"
    return "" if guarded else None


def _takes_nothing(arguments: ast.arguments) -> bool:
    positional = len(arguments.posonlyargs) + len(arguments.args)
    return positional == len(arguments.defaults) and None not in arguments.kw_defaults


def _is_guard(test: ast.expr) -> bool:
    """Whether it is `__name__ == "__main__"`."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _calls_main(node: ast.AST) -> bool:
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "main"
        and not call.args
        for call in ast.walk(node)
    )


def _health_path(module: ast.Module, app: str | None) -> str | None:
    """The path of a health check that the module answers. app: the object that has the routes."""
    found = set(_routes(module, app))
    return next((path for path in _HEALTH_PATHS if path in found), None)


def _routes(module: ast.Module, app: str | None) -> Iterator[object]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            of_app, name = True, ""
            if isinstance(node.func, ast.Attribute):
                name = node.func.attr
                owner = node.func.value
                of_app = app is None or (isinstance(owner, ast.Name) and owner.id == app)
            elif isinstance(node.func, ast.Name):
                name = node.func.id
            if name in _ROUTES and of_app:
                yield from (one.value for one in node.args[:2] if isinstance(one, ast.Constant))
        elif app is None and isinstance(node, ast.Compare):
            # A handler of the standard library: `self.path == "/health"`.
            for one in node.comparators:
                values = one.elts if isinstance(one, (ast.Tuple, ast.List, ast.Set)) else [one]
                yield from (value.value for value in values if isinstance(value, ast.Constant))


def _port(module: ast.Module) -> int | None:
    """The port that the module listens on, if all that starts a server says the same."""
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            for value in _port_values(node):
                port = _number(value, constants)
                if port is not None and 0 < port < 65536:
                    found.add(port)
    return found.pop() if len(found) == 1 else None


def _port_values(call: ast.Call) -> Iterator[ast.expr]:
    name = (
        call.func.attr
        if isinstance(call.func, ast.Attribute)
        else call.func.id if isinstance(call.func, ast.Name) else ""
    )
    if name in _STARTERS:
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "port")
        if name in ("make_server", "start_server") and len(call.args) > 1:
            yield from call.args[1:3]
    elif _SERVERS_WITH_ADDRESS.match(name) and call.args and isinstance(call.args[0], ast.Tuple):
        yield from call.args[0].elts[1:2]


def _number(node: ast.expr, constants: dict[str, ast.expr], depth: int = 3) -> int | None:
    """A port as a number, a constant of the module, or what stands in for a variable of the
    environment: `int(os.environ.get("PORT", "8000"))`."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        if isinstance(node.value, str) and re.fullmatch("[0-9]{1,5}", node.value):
            return int(node.value)
    elif isinstance(node, ast.Name) and node.id in constants and depth:
        return _number(constants[node.id], constants, depth - 1)
    elif isinstance(node, ast.Call) and node.args and depth:
        return _number(node.args[-1], constants, depth - 1)
    elif isinstance(node, ast.BoolOp) and depth:
        return _number(node.values[-1], constants, depth - 1)
    return None
