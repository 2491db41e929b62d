from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.formats.limits import Limits, named, parse_limits


def test_what_is_not_given_has_its_default() -> None:
    assert parse_limits([]) == Limits()
    assert parse_limits([("memory", "5"), ("disk", 7)]) == Limits(memory=5, disk=7)


@pytest.mark.parametrize("value", ["0", "-1", "x", "", "1e3", "²", "9" * 5000, 0, -5])
def test_a_limit_is_a_positive_number(value: str) -> None:
    with pytest.raises(Failure, match="key 'memory': .* is not a positive whole number"):
        parse_limits([("memory", value)])


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Failure, match="has the key 'ram'. Its keys are: memory, processes, disk,"):
        parse_limits([("ram", "1")])


def test_errors_name_the_option() -> None:
    assert named("disk") == "([inseam].build_limits, key 'disk')"
    assert "keys 'unpacked' and 'members'" in Limits().bounds.option
