"""Turns records into values that JSON can hold.

The records of the programs are named tuples, not dataclasses: a program starts for each edit, and
making the classes would take a fifth of its time.
"""

from __future__ import annotations

from typing import Any


def plain(value: Any) -> Any:
    """A record as a dict by field name, with the records and tuples in it turned likewise."""
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {name: plain(item) for name, item in zip(value._fields, value)}
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value
