from __future__ import annotations

import pytest

from inseam.formats.numbers import whole_number


@pytest.mark.parametrize(
    "text, number",
    [("0", 0), ("0123", 123), (b"42", 42), ("9" * 19, 10**19 - 1)],
)
def test_digits_are_numbers(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", " 1", "1_0", "²", "٣", "1.0", "x", "9" * 5000, b""]
)
def test_other_texts_are_not(text: str) -> None:
    assert whole_number(text) is None
