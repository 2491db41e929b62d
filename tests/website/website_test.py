"""Builds the site of the documentation, without any other server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", f"--site-dir={folder}"]
    result = subprocess.run(
        # No proxy answers: what would ask another server fails.
        command,
        env={"https_proxy": "http://127.0.0.1:9", "NO_MKDOCS_2_WARNING": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return folder


def test_each_page_is_in_the_site(built: Path) -> None:
    pages = [path.relative_to("docs") for path in Path("docs").rglob("*.md")]
    assert len(pages) > 20
    root = ["index", "README.ru", "CHANGELOG", "CONTRIBUTING", "HACKING", "SECURITY"]
    for page in [*pages, *(Path(f"{name}.md") for name in root)]:
        name = page.with_name("index.md") if page.name == "README.md" else page
        assert (built / name.with_suffix(".html")).is_file(), page
    assert 'src="architecture.svg"' in (built / "architecture.html").read_text()
    assert (built / "architecture.svg").is_file()


def test_pages_load_nothing_from_other_servers(built: Path) -> None:
    for page in built.rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"?(https?:[^\"> ]+)", text)
        loaded += re.findall(
            r"<link[^>]* rel=\"?stylesheet\"?[^>]* href=\"?(https?:[^\"> ]+)", text
        )
        assert loaded == [], page.name
