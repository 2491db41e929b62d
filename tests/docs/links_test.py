"""Checks the links between the pages of the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.links import broken_links


def test_links_between_pages_lead_somewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert broken_links() == []
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text(
        "# A b\n[1](#a-b) [2](#c) [3](no.md) [4](README.md#a-b) [5](x.svg)"
    )
    assert broken_links() == ["README.md: #c", "README.md: no.md#"]
