"""Finds strings in sources that name modules, by what frameworks do with them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from inseam.formats.python.standard import parsed

_LARGEST = 1 << 20  # bytes of a file that is read
_MOST = 1000  # strings per file that are reported

SETTINGS = "DJANGO_SETTINGS_MODULE"
# What Django, and Celery for it, load of each installed application.
_OF_APPS = ("apps", "models", "admin", "migrations", "management", "templatetags", "tasks")


class Named(NamedTuple):
    """A string that names a module, or something in one."""

    line: int
    name: str
    """As "shop.urls" or "shop.middleware.Auth"."""
    loads: tuple[str, ...] = ()
    """What the framework loads of that package, if it is one, by the names of modules in it."""


class Row(NamedTuple):
    """What a framework does with strings at some places of a source."""

    framework: str
    names: tuple[str, ...]
    """Of variables that are assigned, of functions that are called, or of keywords."""
    exact: bool = True
    """Whether it loads all that is named, always."""
    first: str = ""
    """The first argument of such a call, which has the module in the second."""
    keywords: tuple[str, ...] = ()
    """Of the call's arguments, the only ones to read; if there are none, all positional ones."""
    keys: tuple[str, ...] = ()
    """Of dictionaries, the only ones whose values are read."""
    dotted: bool = True
    """Whether only strings with a dot are names."""
    loads: tuple[str, ...] = ()
    """As in Named."""


VARIABLES = (
    Row("Django", ("INSTALLED_APPS",), dotted=False, loads=_OF_APPS),
    Row("Django", ("ROOT_URLCONF", SETTINGS), dotted=False),
    Row("Django", ("WSGI_APPLICATION", "ASGI_APPLICATION", "MIDDLEWARE", "TEMPLATES")),
    Row("Django", ("AUTHENTICATION_BACKENDS", "DATABASE_ROUTERS", "PASSWORD_HASHERS")),
    Row("Django", ("AUTH_PASSWORD_VALIDATORS", "CACHES", "DATABASES", "STORAGES")),
    Row("Django", ("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE", "STATICFILES_FINDERS")),
    Row("Django", ("EMAIL_BACKEND", "SESSION_ENGINE", "FORM_RENDERER", "CSRF_FAILURE_VIEW")),
    Row("Django", ("MIGRATION_MODULES", "FILE_UPLOAD_HANDLERS", "CHANNEL_LAYERS")),
    Row("Django REST framework", ("REST_FRAMEWORK",)),
    Row("logging", ("LOGGING",), keys=("class", "()", "factory")),
    Row("Celery", ("CELERY_IMPORTS", "CELERY_INCLUDE"), dotted=False),
)
CALLS = (
    Row("Django", ("setdefault",), first=SETTINGS, dotted=False),
    Row("Django", ("include",)),
    Row("Celery", ("Celery", "update"), keywords=("include", "imports"), dotted=False),
    Row("Celery", ("autodiscover_tasks",), dotted=False, loads=("tasks",)),
    Row("Celery", ("config_from_object",), dotted=False),
    Row("Alembic", ("set_main_option",), first="script_location", loads=("env", "versions")),
    Row("", ("import_module", "__import__"), exact=False, dotted=False),
    Row("logging", ("dictConfig",), exact=False, keys=("class", "()", "factory")),
)
_TEXTS = (".toml", ".yaml", ".yml")
MENTIONING = (".py", *_TEXTS)
"""What the names of files end with that `mentioned_modules` reads."""

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_][\w./]*)?")
_IN_TEXT = re.compile(
    r"(?<![\w./@:-])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?::[A-Za-z_]\w*)?(?![\w/@-])"
)


def _marks(rows: Iterable[Row]) -> tuple[bytes, ...]:
    return tuple(sorted({(row.first or name).encode() for row in rows for name in row.names}))


_EXACT = _marks([*VARIABLES, *(row for row in CALLS if row.exact and row.names != ("include",))])
_EXACT += (b"include(", b"conf.i")
_LOOSE = _marks(row for row in CALLS if not row.exact)


def loaded_modules(source: bytes) -> tuple[Named, ...]:
    """What a source names that its framework loads, always."""
    return _found(source, _EXACT, exact=True)


def mentioned_modules(path: str, source: bytes) -> tuple[Named, ...]:
    """What a first-party file, by its path, names that some code of it may load."""
    if path.endswith(".py"):
        return _found(source, _LOOSE, exact=False)
    return tuple(_in_text(source)) if path.endswith(_TEXTS) else ()


def _found(source: bytes, marks: tuple[bytes, ...], *, exact: bool) -> tuple[Named, ...]:
    if len(source) > _LARGEST or not any(mark in source for mark in marks):
        return ()
    found = {one for node in ast.walk(parsed(source)) for one in _of_node(node, exact)}
    return tuple(sorted(found)[:_MOST])


def _of_node(node: ast.AST, exact: bool) -> Iterator[Named]:
    if isinstance(node, ast.Call):
        name = _last_name(node.func)
        for row in CALLS:
            if name in row.names and row.exact is exact:
                yield from _of_call(node, row)
    elif exact and isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {_last_name(target) for target in targets}
        if node.value is not None:
            for row in VARIABLES:
                if names.intersection(row.names):
                    yield from _strings([node.value], row)
            if names & {"imports", "include"} and _is_of_conf(targets[0]):
                yield from _strings([node.value], Row("Celery", (), dotted=False))


def _of_call(node: ast.Call, row: Row) -> Iterator[Named]:
    arguments = list(node.args)
    if row.first:
        if len(arguments) < 2 or _text(arguments[0]) != row.first:
            return
        arguments = arguments[1:2]
    elif row.keywords:
        arguments = [one.value for one in node.keywords if one.arg in row.keywords]
    elif not row.keys:
        arguments = arguments[:1]
    yield from _strings(arguments, row)


def _strings(nodes: Iterable[ast.expr], row: Row) -> Iterator[Named]:
    """The strings in expressions that a row takes for names."""
    for one in (inner for node in nodes for inner in ast.walk(node)):
        if row.keys:
            if isinstance(one, ast.Dict):
                values = [
                    value for key, value in zip(one.keys, one.values) if _text(key) in row.keys
                ]
                yield from _strings(values, row._replace(keys=()))
            continue
        text = _text(one)
        if _NAME.fullmatch(text) and (not row.dotted or "." in text or ":" in text):
            yield Named(getattr(one, "lineno", 0), _module(text), row.loads)


def _module(text: str) -> str:
    """The dotted name of what a string names; "shop:migrations" is a folder in a package."""
    return text.replace(":", ".").replace("/", ".")


def _text(node: ast.AST | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""


def _last_name(node: ast.AST) -> str:
    """The name of a variable, of an attribute, or of the item of a mapping such as os.environ."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    return _text(node.slice) if isinstance(node, ast.Subscript) else ""


def _is_of_conf(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and _last_name(node.value) == "conf"


def _in_text(source: bytes) -> Iterator[Named]:
    """Dotted names in a text, each where it comes first."""
    if len(source) > _LARGEST:
        return
    seen: set[str] = set()
    for number, line in enumerate(source.decode("utf-8", "replace").split("\n"), 1):
        for match in _IN_TEXT.finditer(line.partition(" #")[0][:1000]):
            if match[1] not in seen and len(seen) < _MOST:
                seen.add(match[1])
                yield Named(number, match[1])
