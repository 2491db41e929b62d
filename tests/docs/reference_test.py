"""Holds docs/reference.md to the help texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pants.option.option_types import collect_options_info

from docs.reference import BEGIN, PAGE, page
from inseam.subsystem import InseamSubsystem


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


def test_pages_name_options_that_exist() -> None:
    infos = collect_options_info(InseamSubsystem)
    known = {info.flag_names[-1].lstrip("-").replace("-", "_") for info in infos}
    named = [
        (str(path), name)
        for path in (*Path().glob("*.md"), *Path("docs").rglob("*.md"))
        for name in re.findall(r"\[inseam\]\.(\w+)|^\[inseam\.(\w+)\]", path.read_text(), re.M)
    ]
    assert len(named) > 20
    unknown = [(path, one or other) for path, (one, other) in named if (one or other) not in known]
    assert unknown == []
