"""Compiles Python source to a `.pyc` whose bytes depend on nothing but source and path.

PEP 552 unchecked-hash files: no timestamp, never re-validated at run time, so they stay valid
next to normalised mtimes and on a read-only file system.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
import warnings
from pathlib import PurePosixPath
from types import CodeType

# PEP 552, the flags of a .pyc: its hash of the source is there, and is not to be checked.
_UNCHECKED_HASH = 0b01


def cache_path(path: str, minor: tuple[int, int]) -> str:
    """Where CPython `minor` looks for the bytecode of `path` (PEP 3147)."""
    source = PurePosixPath(path)
    return str(source.parent / "__pycache__" / f"{source.stem}.cpython-{minor[0]}{minor[1]}.pyc")


def compile_source(source: bytes, path: str) -> bytes | None:
    """The content of the `.pyc` for `source`, as the running interpreter's minor version reads it.

    path: absolute path that the source has in the image; tracebacks show it.

    None for source that is no Python of this version (templates, Python 2 leftovers): the file
    then stays without bytecode, as `compileall` would leave it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    code = _merge_sets(code, {})
    held: list[object] = []
    _hold(code, held)
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little")
    data = header + importlib.util.source_hash(source) + marshal.dumps(code)
    del held
    return data


def _merge_sets(code: CodeType, known: dict[object, frozenset[object]]) -> CodeType:
    """`code` with equal frozenset constants made one object.

    CPython's compiler merges equal constants of a module, but whether it merges two frozensets
    depends on memory addresses, and `marshal` writes a merged constant once.
    """
    consts: list[object] = []
    found = False
    for const in code.co_consts:
        if isinstance(const, CodeType):
            merged = _merge_sets(const, known)
            found = found or merged is not const
            consts.append(merged)
        elif isinstance(const, frozenset):
            found = True
            key = frozenset((type(item), repr(item)) for item in const)
            consts.append(known.setdefault(key, const))
        else:
            consts.append(const)
    return code.replace(co_consts=tuple(consts)) if found else code


def _hold(value: object, held: list[object]) -> None:
    """Appends to `held` one more reference to each object that `marshal` writes for `value`.

    `marshal` marks an object as referable if anyone else in the process holds it too, for example
    because some imported module happens to use the same name. With one extra reference each,
    all are marked, and the bytes no longer depend on what else the process has loaded.
    """
    if isinstance(value, CodeType):
        names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        held.extend(name for group in names for name in group)
        held.extend((value.co_filename, value.co_name, getattr(value, "co_qualname", None)))
        held.extend(names)
        _hold(value.co_consts, held)
    elif isinstance(value, (tuple, frozenset)):
        for item in value:
            _hold(item, held)
    held.append(value)


def minor_version() -> tuple[int, int]:
    """The running interpreter's minor version."""
    return sys.version_info[0], sys.version_info[1]
