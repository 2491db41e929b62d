from __future__ import annotations

import time

import pytest

from inseam.formats.foreign_text import foreign_text, foreign_word


def test_each_line_has_a_mark() -> None:
    assert foreign_text("one\n  two é\n\n") == "| one\n|   two é"
    assert foreign_text("") == ""


def test_bytes_are_read_as_utf8() -> None:
    assert foreign_text("ä".encode() + b"\xff") == "| ä\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("char", "escaped"),
    [
        ("\x1b", r"\x1b"),
        ("\0", r"\x00"),
        ("\x07", r"\x07"),
        ("\x7f", r"\x7f"),
        ("\x9b", r"\x9b"),
        ("\u202e", r"\u202e"),
        ("\u2066", r"\u2066"),
        ("\udcff", r"\udcff"),
        ("\U000e0001", r"\U000e0001"),
        ("\t", " "),
    ],
)
def test_what_a_terminal_obeys_is_escaped(char: str, escaped: str) -> None:
    assert foreign_text(f"a{char}b") == f"| a{escaped}b"
    assert foreign_word(f"a{char}b") == f"'a{escaped}b'"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028"])
def test_no_end_of_a_line_hides_the_mark(end: str) -> None:
    assert foreign_text(f"a{end}b") == "| a\n| b"
    assert "\n" not in foreign_word(f"a{end}b")


def test_the_last_lines_stay() -> None:
    text = "\n".join(map(str, range(100)))
    assert foreign_text(text, lines=2) == "| [...]\n| 98\n| 99"
    assert foreign_text("1\n2", lines=2) == "| 1\n| 2"


def test_long_lines_are_cut() -> None:
    assert foreign_text("x" * 11, width=10) == "| xxxxxxxxxx[...]"
    assert foreign_text("x" * 10, width=10) == "| xxxxxxxxxx"
    assert foreign_text("\x1b" * 9, width=10) == r"| \x1b\x1b\x[...]"
    assert foreign_word("x" * 11, width=10) == "'xxxxxxxxxx[...]'"


@pytest.mark.parametrize("part", ["x", "\n", b"\xff"])
def test_the_size_of_a_text_costs_nothing(part: str | bytes) -> None:
    text = part * 50_000_000
    start = time.process_time()
    assert len(foreign_text(text)) < 100_000
    assert time.process_time() - start < 0.5
