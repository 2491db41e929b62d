"""Reads TOML with what the Python that runs Pants has for it."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from inseam.formats.failure import Failure

# CPython 3.11 has the first. Pants 2.17 runs on 3.9, with a setuptools that brings the last.
_READERS = ("tomllib", "tomli", "setuptools._vendor.tomli")


@cache
def _reader() -> Any:
    for name in _READERS:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise Failure(
        "this Python has no reader of TOML. Add tomli to [GLOBAL].plugins, or run Pants on CPython"
        " 3.11 or newer."
    )


def read_toml(text: bytes) -> dict[str, Any]:
    """The table of a TOML document (TOML 1.0); raises ValueError for text that is not one."""
    reader = _reader()
    try:
        found: dict[str, Any] = reader.loads(text.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return found
