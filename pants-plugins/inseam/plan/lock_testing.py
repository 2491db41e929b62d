"""Makes locks with a single fault, for tests of their readers."""

from __future__ import annotations

import copy
from typing import Any

MISSING = object()  # means that a value is missing


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy with the value at `place` replaced, or removed if the new value is MISSING."""
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
