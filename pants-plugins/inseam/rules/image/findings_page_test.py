"""The page on findings lists every kind, with its severity and meaning."""

from __future__ import annotations

import re
from pathlib import Path

from pants.engine.unions import UnionMembership, UnionRule

from inseam import register
from inseam.rules.image.checks import known_kinds

PAGE = Path(__file__).parents[4] / "docs/findings.md"


def test_the_page_lists_every_kind_of_finding() -> None:
    unions = [one for one in register.rules() if isinstance(one, UnionRule)]
    kinds = known_kinds(UnionMembership.from_rules(unions)).values()
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(kind.id, kind.severity.value, kind.meaning) for kind in kinds]
