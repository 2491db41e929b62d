"""Finds the port on which a module listens, and the path of its health check."""

from __future__ import annotations

import ast
import re
from typing import AbstractSet, Iterator

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
_SERVERS_WITH_ADDRESS = re.compile(r"(\w*HTTPServer|\w*TCPServer|\w*WSGIServer)\Z")
_STARTERS = {"Config", "make_server", "run", "run_app", "run_simple", "serve", "start_server"}
_GRPC_PORTS = {"add_insecure_port", "add_secure_port"}


def health_path(module: ast.Module, app: str | None) -> str | None:
    """The path of a health check that the module serves. app: the object that has the routes."""
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


def port(module: ast.Module, packages: AbstractSet[str]) -> int | None:
    """The port on which the module listens, if all calls that start a server agree."""
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
            for value in _port_values(node, packages):
                number = _number(value, constants)
                if number is not None and 0 < number < 65536:
                    found.add(number)
    return found.pop() if len(found) == 1 else None


def _port_values(call: ast.Call, packages: AbstractSet[str]) -> Iterator[ast.expr]:
    name = (
        call.func.attr
        if isinstance(call.func, ast.Attribute)
        else call.func.id if isinstance(call.func, ast.Name) else ""
    )
    if name in _STARTERS:
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "port")
        if name in ("make_server", "run_simple", "start_server") and len(call.args) > 1:
            yield from call.args[1:3]
    elif name in _GRPC_PORTS and call.args:
        yield from _address(call.args[0])
    elif name == "listen" and "tornado" in packages and call.args:
        yield call.args[0]
    elif name == "launch" and "gradio" in packages:
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "server_port")
    elif _SERVERS_WITH_ADDRESS.match(name) and call.args and isinstance(call.args[0], ast.Tuple):
        yield from call.args[0].elts[1:2]


def _address(node: ast.expr) -> Iterator[ast.expr]:
    """The port in `"[::]:50051"`, `f"[::]:{PORT}"` or `"[::]:" + PORT`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield ast.Constant(node.value.rpartition(":")[2])
    elif isinstance(node, ast.JoinedStr) and node.values:
        last = node.values[-1]
        if isinstance(last, ast.FormattedValue):
            yield last.value
        else:
            yield from _address(last)
    elif isinstance(node, ast.BinOp):
        yield node.right


def _number(node: ast.expr, constants: dict[str, ast.expr], depth: int = 3) -> int | None:
    """A port: a number, a constant of the module, or the default of an environment variable, as in
    `int(os.environ.get("PORT", "8000"))`.
    """
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
