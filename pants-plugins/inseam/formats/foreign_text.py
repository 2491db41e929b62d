"""Makes text from outside, such as the output of a build, safe to print.

Control characters are escaped, long text is truncated, and each line is marked, so that it cannot
be mistaken for one of Inseam's own.
"""

from __future__ import annotations

from inseam.formats.failure import without_credentials

LINES = 40
WIDTH = 400
"""Longest line, and longest word, in characters."""
MARK = "| "


def foreign_text(text: str | bytes, *, lines: int = LINES, width: int = WIDTH) -> str:
    """The last `lines` lines of a text, each marked and with at most `width` characters.

    Says how much is left out. The cost depends only on the size of the result.
    """
    # A character has at most four bytes, and a line end at most two characters.
    end = text[-4 * (lines + 1) * (width + 2) :]
    shown = end.decode(errors="replace") if isinstance(end, bytes) else end
    found = without_credentials(shown).rstrip().splitlines()
    left_out = len(found) > lines or len(end) < len(text)
    marked = [MARK + _cut(_escaped(line[: width + 1]), width) for line in found[-lines:]]
    return "\n".join([f"{MARK}[...]", *marked] if left_out else marked)


def foreign_word(text: str, *, width: int = WIDTH) -> str:
    """A text in quotes, on one line, for the middle of a sentence."""
    # Before truncating, because a truncated URL may hide that it contains a password.
    return f"'{_cut(_escaped(without_credentials(text[: 4 * width])), width)}'"


def plain(text: str, *, width: int = WIDTH) -> str:
    """The same without quotes, for text that becomes part of the sentence, such as an error from a
    library: white space of any kind becomes a single space.
    """
    return foreign_word(" ".join(text[: 4 * width].split()), width=width)[1:-1]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[:width]}[...]"


def _escaped(text: str) -> str:
    """The text with an escape for each character that is not plainly visible on its line: control
    characters, direction marks, surrogates. A tab becomes a space.
    """
    text = text.replace("\t", " ")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
