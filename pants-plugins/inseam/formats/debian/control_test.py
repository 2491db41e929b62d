from __future__ import annotations

import pytest

from inseam.formats.debian.control import DebianError, paragraphs, single_paragraph


def test_paragraphs_keep_the_lines_of_a_value() -> None:
    text = "A: 1\nB: first\n second\n .\n\n\n# comment\nA:2\n"
    assert list(paragraphs(text)) == [{"A": "1", "B": "first\nsecond\n."}, {"A": "2"}]


def test_a_value_may_start_on_the_next_line() -> None:
    assert list(paragraphs("SHA256:\n aa 1 x\n bb 2 y\n")) == [{"SHA256": "\naa 1 x\nbb 2 y"}]


@pytest.mark.parametrize("text", [" continued\n", "no field\n", ": value\n"])
def test_what_is_no_field_is_refused(text: str) -> None:
    with pytest.raises(DebianError):
        list(paragraphs(text))


@pytest.mark.parametrize("text", ["", "A: 1\n\nB: 2\n"])
def test_a_single_paragraph_is_single(text: str) -> None:
    with pytest.raises(DebianError, match="hello"):
        single_paragraph(text, "hello")
