"""Holds docs/reference.md to the help texts."""

from __future__ import annotations

import pytest

from docs.reference import BEGIN, PAGE, page


def test_the_reference_is_what_the_help_texts_say() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "refresh it: ./pants run tests/docs/reference.py"


def test_a_changed_text_is_replaced_and_the_rest_of_the_page_is_kept() -> None:
    text = PAGE.read_text()
    assert "## venv_layer" in text
    assert page(text.replace("## venv_layer", "## old_layer")) == text


def test_a_page_without_the_comments_is_refused() -> None:
    with pytest.raises(ValueError, match="has lost the comments"):
        page(PAGE.read_text().replace(BEGIN, ""))
