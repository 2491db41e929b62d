"""Reads TOML with limits: parsers take more than linear time for keys with many parts."""

from __future__ import annotations

import re
import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MOST_PARTS = 32  # longest dotted key, in parts
# A part of a key, a dot between two, white space, or anything else.
_TOKEN = re.compile(r"""[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*'|\.|[ \t]+|.""")


def read_toml(text: bytes) -> dict[str, Any]:
    """The table of a TOML document (TOML 1.0); raises ValueError for invalid TOML, and for a key of
    more than 32 parts.
    """
    decoded = text.decode()
    for line in decoded.split("\n"):
        if line.count(".") >= _MOST_PARTS and _parts(line) > _MOST_PARTS:
            raise ValueError(f"it has a key of more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(decoded)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _parts(line: str) -> int:
    """The number of parts of the longest text on a line that looks like a dotted key."""
    most = parts = 0
    after_dot = False
    for token in _TOKEN.findall(line):
        if token.isspace():
            continue
        if token == ".":
            parts = 0 if after_dot else parts
            after_dot = True
        elif len(token) > 1 or token.isalnum() or token in "_-":
            parts = parts + 1 if after_dot and parts else 1
            after_dot = False
        else:
            parts, after_dot = 0, False
        most = max(most, parts)
    return most
