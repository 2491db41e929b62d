"""Modules in a syntax that this Python may not have."""

from __future__ import annotations

import ast

import pytest

from inseam.plan.syntax import parse

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
    assert module is not None
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
    assert module is not None
    assert isinstance(module.body[0], ast.Expr)
    assert len(module.body) == 2


def test_a_line_that_no_parser_takes_is_left_out() -> None:
    module = parse(b"x = " + b"-" * 100_000 + b"1\nmain()\n")
    assert module is not None
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
    ],
)
def test_what_no_python_reads_is_nothing(text: bytes) -> None:
    assert parse(text) is None
