"""Checks the links between the pages of the documentation, and the modules that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.links import broken_links, missing_modules


def test_links_between_pages_lead_somewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken_links() == []
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text(
        "# A b\n[1](#a-b) [2](#c) [3](no.md) [4](README.md#a-b) [5](x.svg)"
    )
    assert broken_links() == ["README.md: #c", "README.md: no.md#"]


def test_modules_that_pages_name_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_modules() == []
    monkeypatch.chdir(tmp_path)
    module = Path("pants-plugins/inseam/rules/image/dist.py")
    module.parent.mkdir(parents=True)
    module.touch()
    Path("README.md").write_text(
        f"`rules/image/dist.py` {module} `rules/gone.py` pants-plugins/inseam/rules/old.py `a/b.py`"
    )
    assert missing_modules() == ["README.md: rules/gone.py", "README.md: rules/old.py"]
