from __future__ import annotations

import pytest

from inseam.formats.failure import Failure
from inseam.plan.option_values import rfc3339


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0", "1970-01-01T00:00:00Z"),
        ("1764547200", "2025-12-01T00:00:00Z"),
        ("2025-12-01T00:00:00Z", "2025-12-01T00:00:00Z"),
        ("2025-12-01T00:00:00.75+05:30", "2025-11-30T18:30:00Z"),
        # `git log --format=%cI` and `--format=%ci`, but for the latter's zone.
        ("2025-12-01 00:00:00-08:00", "2025-12-01T08:00:00Z"),
    ],
)
def test_a_time_is_in_seconds_and_utc(text: str, expected: str) -> None:
    assert rfc3339(text, "x") == expected


@pytest.mark.parametrize(
    "text",
    [
        *("now", "-1", "1e9", "2025-12-01", "2025-12-01T00:00:00", "2025-13-01T00:00:00Z"),
        *("1960-01-01T00:00:00Z", "9" * 30, "\u0661", "2025-12-01T00:00:00Z\n"),
    ],
)
def test_what_is_not_a_time_is_refused_by_the_name_of_the_option(text: str) -> None:
    with pytest.raises(Failure, match=r"^\[inseam\].created must be a time, such as 1764547200"):
        rfc3339(text, "[inseam].created")
