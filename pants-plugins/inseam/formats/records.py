"""Turns records into values that JSON can hold.

The programs' records are named tuples, not dataclasses: programs run after each edit, and creating
the classes would take a fifth of their time.
"""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """A record as a dict by field name; records and tuples in it are converted, too."""
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {name: plain(item) for name, item in zip(value._fields, value)}
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
