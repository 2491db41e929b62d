"""Reads whole numbers in text from outside, with a limit."""

from __future__ import annotations

_MOST_DIGITS = 19  # number of digits that always fit into 64 bits


def whole_number(text: str | bytes) -> int | None:
    """The number in ASCII digits; None for any other text, and for a number that is too large for a
    file size, a version or a time.
    """
    if not text.isdigit() or not text.isascii() or len(text) > _MOST_DIGITS:
        return None
    return int(text)
