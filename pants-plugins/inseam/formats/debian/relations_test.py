from __future__ import annotations

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.relations import Relation, parse_relations


def test_relations_are_parsed() -> None:
    field = "libc6 (>= 2.35), a | b (<< 1:2~) ,\n python3:any (= 3.11.2-1)"
    assert parse_relations(field) == [
        [Relation("libc6", ">=", "2.35")],
        [Relation("a"), Relation("b", "<<", "1:2~")],
        [Relation("python3", "=", "3.11.2-1")],
    ]


@pytest.mark.parametrize("field", ["A B", "a (2)", "a (== 2)", "a | ", "a (>= 2"])
def test_what_is_not_a_relation_is_refused(field: str) -> None:
    with pytest.raises(DebianError, match="relation"):
        parse_relations(field)
