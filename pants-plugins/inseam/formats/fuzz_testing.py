"""Configures the property-based tests: a few fixed examples, or as many random ones as requested.

INSEAM_FUZZ_EXAMPLES is the number of examples per property, which then differ from run to run.
"""

from __future__ import annotations

import os
from typing import Any, Callable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = os.environ.get("INSEAM_FUZZ_EXAMPLES")

# In CI, the same few examples each time, so that failures can be reproduced everywhere.
fuzzed = settings(
    max_examples=int(EXAMPLES or 60),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

# Any JSON value; some of its keys are those of our documents.
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../x", "/x", "a\nb", "sha256:" + "a" * 64, "linux/amd64", "1.0", "\ud800"])
)
json_values = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def mutated(value: Any) -> st.SearchStrategy[Any]:
    """A JSON value like `value`, with one or two parts replaced, duplicated or removed."""

    @st.composite
    def build(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
        found = value
        for _ in range(draw(st.integers(1, 2))):
            found = _changed(found, draw)
        return found

    return build()


def _changed(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    inside = (isinstance(value, (dict, list)) and len(value) > 0) and draw(st.integers(0, 4))
    if not inside:
        return draw(json_values)
    if isinstance(value, dict):
        key = draw(st.sampled_from(sorted(value, key=str)))
        if draw(st.integers(0, 5)) == 0:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: _changed(value[key], draw)}
    number = draw(st.integers(0, len(value) - 1))
    if draw(st.integers(0, 5)) == 0:
        return [*value, value[number]]
    return [*value[:number], _changed(value[number], draw), *value[number + 1 :]]


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Bytes like `content`, with some overwritten, removed, duplicated, or cut off at the end."""

    @st.composite
    def build(draw: Callable[[st.SearchStrategy[Any]], Any]) -> bytes:
        found = content
        for _ in range(draw(st.integers(1, 4))):
            start = draw(st.integers(0, max(0, len(found) - 1)))
            length = draw(st.integers(0, 16))
            new = draw(
                st.binary(max_size=16)
                | st.sampled_from([found[start : start + length] * 2, b"\0" * 12, b"\xff" * 8])
            )
            found = found[:start] + new + found[start + length :]
            if draw(st.integers(0, 9)) == 0:
                found = found[: draw(st.integers(0, len(found)))]
        return found

    return build()
