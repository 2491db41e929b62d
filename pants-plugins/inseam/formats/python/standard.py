"""Knows which modules of the standard library a base lacks, and what provides them."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from inseam.formats.python.bytecode import LARGEST_SOURCE


class Removed(NamedTuple):
    """A module that CPython no longer has."""

    since: tuple[int, int]
    """The first version without it."""
    brought_by: str = ""
    """A distribution that provides it; "" for none."""


REMOVED = {
    "distutils": Removed((3, 12), "setuptools"),
    "asynchat": Removed((3, 12), "pyasynchat"),
    "asyncore": Removed((3, 12), "pyasyncore"),
    "imp": Removed((3, 12), "zombie-imp"),
    "smtpd": Removed((3, 12), "standard-smtpd"),
    "aifc": Removed((3, 13), "standard-aifc"),
    "audioop": Removed((3, 13), "audioop-lts"),
    "cgi": Removed((3, 13), "legacy-cgi"),
    "cgitb": Removed((3, 13), "legacy-cgi"),
    "chunk": Removed((3, 13), "standard-chunk"),
    "crypt": Removed((3, 13), "legacycrypt"),
    "imghdr": Removed((3, 13), "standard-imghdr"),
    "lib2to3": Removed((3, 13)),
    "mailcap": Removed((3, 13), "standard-mailcap"),
    "nis": Removed((3, 13)),
    "nntplib": Removed((3, 13), "standard-nntplib"),
    "ossaudiodev": Removed((3, 13)),
    "pipes": Removed((3, 13), "standard-pipes"),
    "sndhdr": Removed((3, 13), "standard-sndhdr"),
    "spwd": Removed((3, 13)),
    "sunau": Removed((3, 13), "standard-sunau"),
    "telnetlib": Removed((3, 13), "standard-telnetlib"),
    "uu": Removed((3, 13), "standard-uu"),
    "xdrlib": Removed((3, 13), "standard-xdrlib"),
}
# Modules of no Python that wheels import without requiring the distribution that provides them:
# earlier versions of pip installed it in every environment.
ASSUMED = {"pkg_resources": "setuptools<81"}
# Modules that Debian has in separate packages, with the prefixes of the packages' names.
_DEBIAN = {
    "curses": "libncursesw",
    "distutils": "python3-distutils",
    "lib2to3": "python3-lib2to3",
    "readline": "libreadline",
    "tkinter": "python3-tk",
}
# Those that an archive with CPython contains, as names of such packages.
ARCHIVE = (_DEBIAN["curses"], _DEBIAN["distutils"], _DEBIAN["readline"])
# Parts of the paths of files that a running service does not import.
_NOT_RUN = {
    "_build_utils",
    "_distutils",
    "build",
    "command",
    "conftest.py",
    "distutils",
    "f2py",
    "setup.py",
    "test",
    "testing",
    "tests",
}

_NAME = re.compile(rb"\b(?:%s)\b" % "|".join(sorted({*REMOVED, *ASSUMED})).encode())


def missing_modules(python_version: str, packages: Iterable[str] | None) -> tuple[str, ...]:
    """The modules that a base lacks, sorted.

    python_version: that of its CPython, such as "3.11". packages: names of the Debian packages that
    it is made of; None for an image from a registry, which has all modules of CPython.
    """
    gone = {name for name in REMOVED if _is_removed(name, python_version)}.union(ASSUMED)
    if packages is not None:
        there = tuple(packages)
        gone |= {
            name
            for name, start in _DEBIAN.items()
            if not any(package.startswith(start) for package in there)
        }
    return tuple(sorted(gone))


def _is_removed(module: str, python_version: str) -> bool:
    version = tuple(map(int, python_version.split(".")[:2]))
    return module in REMOVED and REMOVED[module].since <= version


def remedy(module: str, python_version: str) -> str:
    """What to do about an import of a standard module that the base lacks, as a sentence.

    python_version: that of the base's CPython, such as "3.11".
    """
    provider = ASSUMED.get(module) or (module in REMOVED and REMOVED[module].brought_by)
    if provider:
        return (
            f"Add the distribution {provider}, which provides {module}, to the service's"
            " dependencies and to its lock, or import something else."
        )
    if module in _DEBIAN and not _is_removed(module, python_version):
        return (
            f"Add the Debian package whose name starts with {_DEBIAN[module]} to the base's list of"
            " packages, and lock it again, or import something else."
        )
    return "Import something else."


def parsed(source: bytes) -> ast.Module:
    """The module with this source; an empty one if it gets no bytecode, because it cannot be parsed
    or is too large.
    """
    if len(source) > LARGEST_SOURCE:
        return ast.Module([], [])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def statements(body: Iterable[ast.stmt], *, functions: bool = True) -> Iterator[ast.stmt]:
    """Statements at any level that run, or may run, when their module does; except those in `try`,
    and those under a condition about type checkers or versions.

    functions: whether to include those in functions.
    """
    for node in body:
        if isinstance(node, ast.Try) or (
            isinstance(node, ast.If)
            and re.search("TYPE_CHECKING|version_info|PY2|PY3", ast.dump(node.test))
        ):
            continue
        yield node
        if functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for name in ("body", "orelse"):
                yield from statements(getattr(node, name, ()), functions=functions)


def imports(module: ast.Module, *, functions: bool = True) -> Iterator[tuple[int, str]]:
    """The line and dotted name of each module that a module's statements import."""
    for node in statements(module.body, functions=functions):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
        elif isinstance(node, ast.Expr) and (name := _imported_by_call(node.value)):
            yield node.lineno, name


def _imported_by_call(node: ast.expr) -> str:
    """The module in `__import__("module").function()`; "" for other expressions."""
    function = node.func if isinstance(node, ast.Call) else None
    inner = function.value if isinstance(function, ast.Attribute) else None
    if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.args:
        module = inner.args[0]
        if inner.func.id == "__import__" and isinstance(module, ast.Constant):
            return module.value if isinstance(module.value, str) else ""
    return ""


def imported(path: str, source: bytes) -> tuple[str, ...]:
    """The modules in REMOVED or ASSUMED without which a file of a wheel cannot be imported, sorted.

    Imports in `try` or in functions do not count, nor do files that belong to tests or builds,
    according to their paths.
    """
    if _NOT_RUN.intersection(path.split("/")) or not _NAME.search(source):
        return ()
    found = {name.partition(".")[0] for _, name in imports(parsed(source), functions=False)}
    return tuple(sorted(found.intersection({*REMOVED, *ASSUMED})))
