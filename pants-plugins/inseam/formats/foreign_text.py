"""Prints text that others wrote, such as the output of a build, where it can do no harm.

What a terminal would obey is escaped, what is too long is cut, and each line is marked, so that
none can pass for one of ours.
"""

from __future__ import annotations

from inseam.formats.failure import without_credentials

LINES = 40
WIDTH = 400
"""Characters of a line, and of a word."""
MARK = "| "


def foreign_text(text: str | bytes, *, lines: int = LINES, width: int = WIDTH) -> str:
    """The last `lines` lines of a text, each with a mark in front and at most `width` characters.

    Says how much is left out. Costs no more than the size of what it returns.
    """
    # A character has at most four bytes, and the end of a line two characters.
    end = text[-4 * (lines + 1) * (width + 2) :]
    shown = end.decode(errors="replace") if isinstance(end, bytes) else end
    found = without_credentials(shown).rstrip().splitlines()
    left_out = len(found) > lines or len(end) < len(text)
    marked = [MARK + _cut(_escaped(line[: width + 1]), width) for line in found[-lines:]]
    return "\n".join([f"{MARK}[...]", *marked] if left_out else marked)


def foreign_word(text: str, *, width: int = WIDTH) -> str:
    """A text in quotes, on one line, for the middle of a sentence."""
    # Before it is cut: half a URL does not show what in it is a password.
    return f"'{_cut(_escaped(without_credentials(text[: 4 * width])), width)}'"


def plain(text: str, *, width: int = WIDTH) -> str:
    """The same without quotes, for what reads as a part of the sentence, such as an error of a
    library: white space of any kind is one space."""
    return foreign_word(" ".join(text[: 4 * width].split()), width=width)[1:-1]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[:width]}[...]"


def _escaped(text: str) -> str:
    """The text with an escape for each character that does not simply stand on its line: controls,
    marks of direction, halves of characters. A tab is a space."""
    text = text.replace("\t", " ")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
