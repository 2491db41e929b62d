"""Adds the pages at the root of the repository to the site, and corrects links between pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

# By their names in the site.
ROOT_PAGES = {
    "index.md": "README.md",
    "README.ru.md": "README.ru.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "HACKING.md": "HACKING.md",
    "SECURITY.md": "SECURITY.md",
}


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages; called once."""
    root = Path(config["config_file_path"]).parent
    for name, path in ROOT_PAGES.items():
        files.append(File.generated(config, name, content=(root / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Makes links to files relative to the site; those to code become plain text."""
    return re.sub(r"(!?)\[([^]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)", _link, markdown)


def _link(match: re.Match[str]) -> str:
    image, text, path, anchor = match[1], match[2], match[3], match[4] or ""
    name = path.removeprefix("../").removeprefix("docs/")
    if name == "README.md":
        name = "index.md"
    if path.endswith(".svg") or name.endswith(".md"):
        return f"{image}[{text}]({name}{anchor})"
    return text if text.startswith("`") else f"`{text}`"
