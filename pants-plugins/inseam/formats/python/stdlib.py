"""Finds first-party code that standard modules of an image hide, or that imports missing ones."""

from __future__ import annotations

import ast
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.installed import first_name
from inseam.formats.python.standard import imports, parsed, remedy, statements

_SEVERAL = re.compile(rb"^[ \t;]*import[ \t][^#\n]*,", re.M)


@cache
def standard_modules() -> frozenset[str]:
    """The names of the running interpreter's top-level standard modules."""
    if sys.version_info >= (3, 10):
        return sys.stdlib_module_names
    paths = sysconfig.get_paths()
    folders = {paths["stdlib"], paths["platstdlib"]}
    folders |= {os.path.join(folder, "lib-dynload") for folder in folders}
    found = {first_name(name) for folder in folders if os.path.isdir(folder)
             for name in os.listdir(folder)}  # fmt: skip
    return frozenset(found | set(sys.builtin_module_names)) - {"site-packages", "test", ""}


def check_names(paths: Iterable[str]) -> None:
    """Raises Failure if one of these files, by import path, is a module with the name of a standard
    module, which comes first on `sys.path`.
    """
    modules = {first_name(path): path for path in paths if path.endswith((".py", ".so"))}
    hidden = sorted(standard_modules().intersection(modules))
    if hidden:
        name = hidden[0]
        raise Failure(
            f"the first-party file {modules[name]} could not be imported in the image, because"
            f" the standard library of Python {_version()} has a module {name}, which comes before"
            " it on sys.path. Rename it, or put it into a package."
        )


def check_imports(files: Mapping[str, Path], missing: Iterable[str]) -> None:
    """Raises Failure if a first-party file imports a standard module that the base does not have.

    Imports in `try`, and those for type checkers, are ignored.
    """
    for name in missing:
        text = name.encode()
        for path, file in files.items():
            if not path.endswith(".py") or text not in (source := file.read_bytes()):
                continue
            for line, module in imports(parsed(source)):
                if module.partition(".")[0] == name:
                    raise Failure(
                        f"{path}, line {line}, imports {module}, which the base's Python"
                        f" {_version()} does not have. {remedy(name, _version())}"
                    )


def several_at_once(files: Mapping[str, Path]) -> list[tuple[str, int, str]]:
    """The modules, except standard ones, in second or later position of an `import a, b`: the path
    of the file, the line, and the dotted name.
    """
    found = []
    for path, file in sorted(files.items()):
        if path.endswith(".py") and _SEVERAL.search(source := file.read_bytes()):
            for node in statements(parsed(source).body):
                if isinstance(node, ast.Import):
                    found += [(path, node.lineno, name.name) for name in node.names[1:]]
    return [one for one in found if first_name(one[2]) not in standard_modules()]


def _version() -> str:
    return ".".join(map(str, minor_version()))
