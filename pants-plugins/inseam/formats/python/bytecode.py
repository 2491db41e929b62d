"""Compiles Python source to a `.pyc` whose bytes depend only on the source and its path.

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
from typing import Generator

from inseam.formats.tar import LONGEST_NAME

LARGEST_SOURCE = 16 << 20
"""Largest source in bytes; compiling can take 300 times as much memory."""
# PEP 552, flags of a .pyc: it contains a hash of the source, which is not checked.
_UNCHECKED_HASH = 0b01

_MARSHAL_SORTS_SETS = sys.version_info >= (3, 11)
# Bytes of marshal's format, and a number that does not occur in programs.
_FLAG_REF = 0x80
_TYPE_FROZENSET = ord(">")
_TYPE_SMALL_TUPLE = ord(")")
_SET_MARK = bytes(reversed(b"inseam: frozenset"))


def cache_path(path: str, minor: tuple[int, int]) -> str:
    """Where CPython `minor` looks for the bytecode of `path` (PEP 3147)."""
    source = PurePosixPath(path)
    return str(source.parent / "__pycache__" / f"{source.stem}.cpython-{minor[0]}{minor[1]}.pyc")


def compile_module(
    source: bytes, name: str, folder: str, minor: tuple[int, int]
) -> tuple[str, bytes] | None:
    """Path, relative to `folder`, and content of the `.pyc` of the module in the file `name`.

    folder: relative path in the image. None for what `compile_source` cannot compile, and for a
    module whose `.pyc` would have a longer name than a file can have.
    """
    cached = cache_path(name, minor)
    if len(cached.rpartition("/")[2].encode("utf-8", "surrogateescape")) > LONGEST_NAME:
        return None
    content = compile_source(source, f"/{folder}/{name}")
    return None if content is None else (cached, content)


def compile_source(source: bytes, path: str) -> bytes | None:
    """The content of the `.pyc` for `source`, as the running interpreter's minor version reads it.

    path: absolute path that the source has in the image; tracebacks show it.

    None for source that this Python cannot parse (templates, Python 2 leftovers): the file
    then stays without bytecode, as `compileall` would leave it; and for one that is too large.
    """
    if len(source) > LARGEST_SOURCE:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
            code = _settle_sets(code, {})
            held: list[object] = []
            _hold(code, held)
            marshalled = marshal.dumps(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    header = importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH.to_bytes(4, "little")
    data = header + importlib.util.source_hash(source) + _restore_sets(marshalled)
    del held
    return data


def _settle_sets(code: CodeType, known: dict[object, object]) -> CodeType:
    """The result of `_settled`, for code nested to any depth."""
    waiting = [_settled(code, known)]
    settled: CodeType | None = None
    while waiting:
        try:
            inner = waiting[-1].send(settled)
        except StopIteration as end:
            waiting.pop()
            settled = end.value
        else:
            waiting.append(_settled(inner, known))
            settled = None
    assert settled is not None
    return settled


def _settled(
    code: CodeType, known: dict[object, object]
) -> Generator[CodeType, CodeType | None, CodeType]:
    """`code` with equal frozenset constants made one object, in an order.

    CPython's compiler merges equal constants of a module, but whether it merges two frozensets
    depends on memory addresses, and `marshal` writes a merged constant once. Before CPython 3.11
    `marshal` also writes a set's items by their hashes, that is by hash seed and, for None, by
    memory address: there a tuple that starts with _SET_MARK stands for the set.

    Yields each piece of code inside, and is sent the same as this function returns for it.
    """
    consts: list[object] = []
    found = False
    for const in code.co_consts:
        if isinstance(const, CodeType):
            settled = yield const
            found = found or settled is not const
            consts.append(settled)
        elif isinstance(const, frozenset):
            found = True
            items = sorted(const, key=lambda item: (type(item).__name__, repr(item)))
            key = tuple((type(item), repr(item)) for item in items)
            if key not in known:
                known[key] = const if _MARSHAL_SORTS_SETS else (_set_mark(), *items)
            consts.append(known[key])
        else:
            consts.append(const)
    return code.replace(co_consts=tuple(consts)) if found else code


def _set_mark() -> int:
    """A new object each time: `marshal` gives one that has no other owner no reference number,
    so that it can be cut out of what `marshal` wrote."""
    return int.from_bytes(_SET_MARK, "big")


_MARKED = (_set_mark(),)


def _restore_sets(data: bytes) -> bytes:
    """Turns the tuples of `_settle_sets`, as `marshal` wrote them, into frozensets."""
    if _MARSHAL_SORTS_SETS:
        return data
    mark = marshal.dumps(_set_mark())
    mark = bytes([mark[0] & ~_FLAG_REF]) + mark[1:]
    *pieces, rest = data.split(mark)
    restored = b""
    for piece in pieces:
        # ")" and one byte of size, or from 256 items on "(" and four.
        start = -2 if piece[-2] & ~_FLAG_REF == _TYPE_SMALL_TUPLE else -5
        size = int.from_bytes(piece[start + 1 :], "little") - 1
        kind = _TYPE_FROZENSET | piece[start] & _FLAG_REF
        restored += piece[:start] + bytes([kind]) + size.to_bytes(4, "little")
    return restored + rest


def _hold(value: object, held: list[object]) -> None:
    """Makes `marshal` write each object of `value` in the same way, whatever else refers to it.

    `marshal` marks an object as referable if anyone else in the process holds it too, for example
    because some imported module happens to use the same name. With one more reference each, which
    is appended to `held`, all are marked. It also tells whether a string is interned; strings of
    at most one character are shared by the whole process, so these are interned here.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, CodeType):
            names = (one.co_names, one.co_varnames, one.co_freevars, one.co_cellvars)
            held.extend(name for group in names for name in group)
            held.extend((one.co_filename, one.co_name, getattr(one, "co_qualname", None)))
            held.extend(names)
            waiting.append(one.co_consts)
        elif isinstance(one, (tuple, frozenset)):
            marked = isinstance(one, tuple) and one[:1] == _MARKED
            waiting.extend(item for number, item in enumerate(one) if number or not marked)
        elif isinstance(one, str) and one <= "\xff" and len(one) < 2:
            sys.intern(one)
        held.append(one)


def minor_version() -> tuple[int, int]:
    """The running interpreter's version, such as (3, 11)."""
    return sys.version_info[0], sys.version_info[1]
