from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional

from inseam.formats.records import plain


class Inner(NamedTuple):
    name: str
    sizes: tuple[int, ...] = ()


class Outer(NamedTuple):
    inner: Optional[Inner]
    more: tuple[Inner, ...] = ()
    labels: Mapping[str, Any] = {}


def test_records_become_dicts_at_any_depth() -> None:
    value = Outer(Inner("a", (1, 2)), (Inner("b"),), {"x": Inner("c"), "y": "z"})
    assert plain(value) == {
        "inner": {"name": "a", "sizes": [1, 2]},
        "more": [{"name": "b", "sizes": []}],
        "labels": {"x": {"name": "c", "sizes": []}, "y": "z"},
    }


def test_other_values_stay() -> None:
    for value in (None, "text", b"bytes", 1, 1.5, True):
        assert plain(value) is value
    assert plain(Outer(None))["inner"] is None
