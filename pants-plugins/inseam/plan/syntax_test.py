"""Modules in a syntax that this Python may not have."""

from __future__ import annotations

import ast

import pytest

from inseam.plan.syntax import LARGEST, Unreadable, parse

# Python 3.10 to 3.14.
NEWER = b'''\
"""A service.

match x:
"""
import sys
type Names = list[str]

@dataclass
class Box[T]:
    one: T

def first[T, *U](all: list[tuple[T]]) -> T: ...

async def second[T: (str, bytes)](one: T): ...

def read(event, match):
    match event:
        case {"kind": "a", **rest} if (
            rest
        ):
            a()
        case [1, *_] | None: b()
        case _:
            b()
    match[0] = match
    try:
        c()
    except* (OSError, ValueError) as errors:
        d(f"{names["x"]}")

@retry[0](times=1)
def main(): ...

if __name__ == "__main__":
    sys.exit(main())
'''


def test_a_module_in_a_newer_syntax_is_read() -> None:
    module = parse(NEWER)
    names = [getattr(node, "name", None) for node in module.body]
    assert [name for name in names if name] == ["Box", "first", "second", "read", "main"]
    assert isinstance(module.body[-1], ast.If)
    called = {
        node.func.id
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called >= {"a", "b", "c", "main"}
    main = module.body[-2]
    assert isinstance(main, ast.FunctionDef)
    assert len(main.decorator_list) == 1


def test_text_in_strings_stays_text() -> None:
    module = parse(b"'''\nif x:\n    main()\n'''\nmatch x:\n    case 1:\n        y()\n")
    assert isinstance(module.body[0], ast.Expr)
    assert len(module.body) == 2


def test_a_line_that_no_parser_takes_is_left_out() -> None:
    module = parse(b"x = " + b"-" * 100_000 + b"1\nmain()\n")
    assert [type(node) for node in module.body] == [ast.Pass, ast.Expr]


@pytest.mark.parametrize(
    "text",
    [
        b"def main(: ...",
        b"if x:\ny()",
        b"x = (",
        b"'''",
        b"print 'two'",
        "# coding: ascii\nx = 'é'".encode(),
        b"\xff",
        b"# coding: rot13\nx = 1",
        b"# coding: hex\nx = 1",
        b"# coding: zlib_codec\nx = 1",
        b"# coding: bz2\n" + b"x",
        b"# coding: idna\nx = '\xff'",
        b"# coding: undefined\nx = 1",
        b"\xef\xbb\xbf# coding: latin-1\nx = 1",
        b"\xff\xfex\0",
    ],
)
def test_what_no_python_reads_is_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable, match="it is not a module of Python 3"):
        parse(text)


def test_large_modules_are_not_read() -> None:
    assert parse(b"x = 1\n" * (LARGEST // 6))
    with pytest.raises(Unreadable, match="it has more than 500000 bytes"):
        parse(b"x = 1\n" * (LARGEST // 6 + 1))
