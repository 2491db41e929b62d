"""What files say of programs, without targets."""

from __future__ import annotations

import pytest

from inseam.plan.tailor.declared import Script
from inseam.rules.goals.tailor_targets import project_scripts


@pytest.mark.parametrize(
    "text, scripts",
    [
        ("[project.scripts]\nserve = 'shop.main:run'\n", {"serve": "shop.main:run"}),
        ("[tool.poetry.scripts]\nserve = 'shop.main:run'\n", {"serve": "shop.main:run"}),
        ("[project]\nscripts = 1\n", {}),
        ("[project.scripts]\nserve = 1\nother = 'shop'\n", {}),
        ("tool = 1\n", {}),
        ("[project", {}),
    ],
)
def test_a_project_declares_console_scripts(text: str, scripts: dict[str, str]) -> None:
    path = "src/shop/pyproject.toml"
    expected = [Script(path, "src/shop", name, one) for name, one in scripts.items()]
    assert project_scripts(path, text.encode()) == expected
