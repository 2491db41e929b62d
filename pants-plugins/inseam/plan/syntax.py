"""Parses modules, even if their syntax is newer than the Python that runs Pants.

Pants 2.17 runs on CPython 3.9, while services run on the CPython of their base. For newer syntax,
only the statements inside matter: `match` becomes `if`, and an unreadable line becomes `pass`.
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import List, Tuple

# The parser also raises these for text that is nested too deeply.
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
LARGEST = 500_000  # bytes of a module; larger ones were generated, and would take minutes
# A token without its position; the tokens of a statement or of the head of a block.
_Token = Tuple[int, str]
_Line = List[_Token]
_PYTHON_2 = ("exec", "print", "raise")
_BETWEEN = (tokenize.COMMENT, tokenize.NL)
_BLOCKS = (tokenize.INDENT, tokenize.DEDENT)


class Unreadable(Exception):
    """A module cannot be parsed; the text says why."""


def parse(text: bytes) -> ast.Module:
    """Parses a module; raises Unreadable if no Python could, or if it is larger than LARGEST."""
    if len(text) > LARGEST:
        raise Unreadable(f"it has more than {LARGEST} bytes")
    try:
        return ast.parse(text)
    except (*_UNREADABLE, LookupError):
        pass
    try:
        return ast.parse(tokenize.untokenize(_older(text)))
    except (RecursionError, MemoryError):
        raise Unreadable("it is nested too deeply") from None
    except (*_UNREADABLE, tokenize.TokenError, LookupError):
        # An encoding that is not a text encoding, such as rot13, is a LookupError.
        raise Unreadable("it is not a module of Python 3") from None


def _older(text: bytes) -> list[_Token]:
    """The tokens of a module, without syntax that only a newer parser knows."""
    tokens: list[_Token] = []
    line: _Line = []
    for token in tokenize.tokenize(io.BytesIO(text).readline):
        if token.type in _BETWEEN or token.type == tokenize.ENCODING:
            continue
        if token.type in _BLOCKS:
            tokens.append(token[:2])
            continue
        line.append(token[:2])
        if token.type == tokenize.NEWLINE:
            tokens += _older_line(line)
            line = []
    return tokens + line


def _older_line(line: _Line) -> _Line:
    line = _without_type_parameters(line)
    words = [string for _, string in line[:-1]]
    newline = line[-1]
    is_head = words[-1:] == [":"]
    if is_head and words[0] in ("match", "case"):
        return [(tokenize.NAME, "if"), (tokenize.NAME, "True"), line[-2], newline]
    if is_head and words[:2] == ["except", "*"]:
        return [line[0], *line[2:]]
    if is_head:
        return line
    try:
        # A decorator is not a statement by itself.
        ast.parse(tokenize.untokenize(line) + ("def _(): ..." if words[:1] == ["@"] else ""))
    except _UNREADABLE:
        if words[0] in _PYTHON_2:
            raise
        return [] if words[:1] == ["@"] else [(tokenize.NAME, "pass"), newline]
    return line


def _without_type_parameters(line: _Line) -> _Line:
    """`def first[T](...):` or `class Box[T]:` without the type parameters in brackets."""
    words = [string for _, string in line]
    start = 3 if words[0] == "async" else 2
    if len(words) <= start or words[start - 2] not in ("class", "def") or words[start] != "[":
        return line
    depth = 0
    for end in range(start, len(words)):
        depth += {"[": 1, "]": -1}.get(words[end], 0)
        if not depth:
            return line[:start] + line[end + 1 :]
    return line
