"""Makes documents of locks that have one fault, for tests of their readers."""

from __future__ import annotations

import copy
from typing import Any

MISSING = object()  # stands for a value that is not there


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with one value set, or without it if that is MISSING; `place` leads to it."""
    document = copy.deepcopy(document)
    *above, last = place
    inner = document
    for key in above:
        inner = inner[key]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    return document
