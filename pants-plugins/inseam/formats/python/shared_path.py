"""Decides which file an image has where two distributions install one at the same path."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Optional

from inseam.formats.files import write_whole
from inseam.formats.python.installed import Installed
from inseam.formats.python.venv import VENV

SHARED = "shared.json"

# The reasons why two distributions may install a file at one path, and those in REFUSED.
EQUAL = "equal"
SAME_MEANING = "same meaning"
NOT_READ = "not read"
PREFERRED = "preferred"
HIDDEN = "hidden"
CLASH = "clash"
REFUSED = (HIDDEN, CLASH)
"""The reasons to make no image. HIDDEN: the preferred file is in a lower layer."""

_LARGEST_STUB = 64 << 10  # bytes of an `__init__.py` whose meaning is compared

# The statements by which a package declares that its modules are in several folders, as
# `ast.unparse` writes them.
_PKGUTIL = {
    "import pkgutil",
    "from pkgutil import extend_path",
    "__path__ = extend_path(__path__, __name__)",
    "__path__ = pkgutil.extend_path(__path__, __name__)",
    "__path__ = __import__('pkgutil').extend_path(__path__, __name__)",
}
_PKG_RESOURCES = {
    "import pkg_resources",
    "from pkg_resources import declare_namespace",
    "declare_namespace(__name__)",
    "pkg_resources.declare_namespace(__name__)",
    "__import__('pkg_resources').declare_namespace(__name__)",
}
# The meanings of packages without code, best first: `pkgutil` finds modules in all folders, and a
# package that calls `pkg_resources` cannot be imported without setuptools.
_STUBS = ("pkgutil", "empty", "pkg_resources")

# Names, ignoring case and extension, of files that people or tools read, but no import.
_DOCUMENT = re.compile(
    r"(licen[cs]es?|copying|copyright|notices?|authors|contributors|contributing|maintainers|"
    r"readme|changes|changelog|history|news|thanks|code_of_conduct|security)"
    r"([-_.][\w.+-]*)?",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\.[a-z]\w*$", re.IGNORECASE)
_TEXTS = (".txt", ".md", ".rst", ".markdown", ".asc", ".rtf", ".mit", ".bsd", ".apache")
_FOR_TOOLS = ("py.typed", "conftest.py", "setup.py", ".gitignore", ".DS_Store")
_TESTS = {"test", "tests"}
_DOCUMENTS = ("share/doc/", "share/man/", "share/licenses/", "man/man")
# Folders next to packages that are in wheels by mistake.
_BY_MISTAKE = {"test", "tests", "doc", "docs", "example", "examples", "benchmarks"}


class SharedPath(NamedTuple):
    """A path at which two distributions install a file."""

    path: str
    """Relative path in the image."""
    kept: str
    """File name of the wheel whose file the image has."""
    other: str
    """File name of the wheel whose file it does not have."""
    why: str
    """One of the constants above, such as EQUAL."""
    key: str = ""
    """The key of the preference that decided; "" if none did."""


class Preference(NamedTuple):
    """A choice between distributions that install a file at the same path."""

    key: str
    """The path, as `shown` returns it, or the name of the other distribution."""
    winner: str
    """The name of the distribution whose file is kept."""


def parse_preference(text: str) -> Preference:
    """Reads "<winner>:<key>"."""
    winner, _, key = text.partition(":")
    return Preference(key, winner)


def canonical(name: str) -> str:
    """The name of a distribution, normalised (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distribution_name(wheel: str) -> str:
    """The normalised name of the distribution in a wheel's file name (PEP 427)."""
    return canonical(wheel.split("-")[0])


def shown(path: str) -> str:
    """A path in the image, relative to site-packages if it is there, else to the venv."""
    inside = re.sub(rf"^{VENV}/lib/python[0-9.]+/site-packages/", "", path)
    return inside[len(VENV) + 1 :] if inside.startswith(f"{VENV}/") else inside


def source_of(path: str) -> Optional[str]:
    """The path of the source whose bytecode may be at a path (PEP 3147); None for other files."""
    folder, _, name = path.rpartition("/")
    above, _, cache = folder.rpartition("/")
    if cache != "__pycache__" or not name.endswith(".pyc"):
        return None
    return f"{above}/{name.split('.cpython-')[0]}.py"


def decide(
    path: str, first: Installed, second: Installed, preferences: Iterable[Preference] = ()
) -> tuple[str, bool, str]:
    """Which of two files at a path is kept: why (such as EQUAL), whether it is the second, and the
    key of the preference that decided, if one did."""
    if first.digest == second.digest:
        return EQUAL, False, ""
    names = distribution_name(first.owner), distribution_name(second.owner)
    for key, winner in preferences:
        if winner in names and (key == shown(path) or canonical(key) in set(names) - {winner}):
            return PREFERRED, winner == names[1], key
    if first.meaning and second.meaning:
        if first.meaning == second.meaning:
            return SAME_MEANING, False, ""
        if first.meaning in _STUBS and second.meaning in _STUBS:
            return SAME_MEANING, _STUBS.index(second.meaning) < _STUBS.index(first.meaning), ""
    return (NOT_READ if is_not_read(path) else CLASH), False, ""


def is_not_read(path: str) -> bool:
    """Whether no running service reads a file at this path: documents, tests, files for tools."""
    parts = shown(path).split("/")
    name = parts[-1]
    if name in _FOR_TOOLS or name.endswith(".pyi") or shown(path).startswith(_DOCUMENTS):
        return True
    if _TESTS.intersection(parts[:-1]) or (len(parts) > 1 and parts[0] in _BY_MISTAKE):
        return True
    ending = _ENDING.search(name)
    readable = ending is None or ending[0].lower() in _TEXTS
    return readable and _DOCUMENT.fullmatch(name) is not None


def meaning_of(path: str, source: bytes) -> str:
    """A text that is equal for two `__init__.py` files that differ only in comments and docstrings;
    "" for other files, and for a source that cannot be parsed or is too large."""
    if path.rpartition("/")[2] != "__init__.py" or len(source) > _LARGEST_STUB:
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        for node in ast.walk(tree):
            _remove_docstring(node)
        body = [node for node in tree.body if not _is_idle(node)]
        if not body:
            return "empty"
        statements = {text for node in body for text in _statements(node)}
        if statements <= _PKGUTIL | _PKG_RESOURCES:
            return "pkgutil" if statements & _PKGUTIL else "pkg_resources"
        return hashlib.sha256(ast.dump(tree).encode("utf-8", "surrogatepass")).hexdigest()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""


def _remove_docstring(node: ast.AST) -> None:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        first = node.body[0] if node.body else None
        value = first.value if isinstance(first, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            del node.body[0]


def _is_idle(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.ImportFrom) and node.module == "__future__"
    )


def _statements(node: ast.stmt) -> Iterable[str]:
    """The text of a statement; of `try`, of those in it."""
    if not isinstance(node, ast.Try):
        yield ast.unparse(node)
        return
    handled = [one for handler in node.handlers for one in handler.body]
    for inner in (*node.body, *handled, *node.orelse, *node.finalbody):
        if not _is_idle(inner):
            yield from _statements(inner)


def write_shared(paths: Iterable[SharedPath], folder: Path) -> None:
    """Writes `shared.json` to the folder; the paths of bytecode, which follows its source, are not
    in it.
    """
    text = json.dumps([list(one) for one in sorted(paths)], separators=(",", ":"))
    write_whole(folder / SHARED, text.encode())


def load_shared(text: bytes) -> tuple[SharedPath, ...]:
    """Reads the text of a `shared.json`."""
    return tuple(SharedPath(*one) for one in json.loads(text))


def layers_shared(
    layers: Iterable[Mapping[str, Installed]], preferences: Iterable[Preference] = ()
) -> list[SharedPath]:
    """The paths that two of these layers share. The image has the file of the upper one, so no
    other can be preferred.

    layers: the files of each layer, lowest first.
    """
    preferences = tuple(preferences)
    files: dict[str, Installed] = {}
    found = []
    for layer in layers:
        for path, upper in layer.items():
            lower = files.get(path)
            if lower is not None and not (_source_in(path, layer) and _source_in(path, files)):
                why, is_upper, key = decide(path, lower, upper, preferences)
                if why == PREFERRED and not is_upper:
                    why = HIDDEN
                found.append(SharedPath(path, upper.owner, lower.owner, why, key))
        files.update(layer)
    return found


def _source_in(path: str, files: Mapping[str, Installed]) -> bool:
    return source_of(path) in files
