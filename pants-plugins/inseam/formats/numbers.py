"""Reads whole numbers of foreign texts, within bounds."""

from __future__ import annotations

_MOST_DIGITS = 19  # of what 64 bits hold


def whole_number(text: str | bytes) -> int | None:
    """The number that ASCII digits stand for; None for any other text, and for a number that is
    larger than a file, a version or a time can be."""
    if not text.isdigit() or not text.isascii() or len(text) > _MOST_DIGITS:
        return None
    return int(text)
