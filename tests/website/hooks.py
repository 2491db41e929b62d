"""Adds the pages at the root of the repository to the site, and corrects links between pages."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

# By their paths in the site.
ROOT_PAGES = {
    "index.md": "README.md",
    "README.ru.md": "README.ru.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "HACKING.md": "HACKING.md",
    "SECURITY.md": "SECURITY.md",
}
_IN_SITE = {path: name for name, path in ROOT_PAGES.items()}
_LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages; called once."""
    root = Path(config["config_file_path"]).parent
    for name, path in ROOT_PAGES.items():
        files.append(File.generated(config, name, content=(root / path).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Makes links to files relative to the site; those to code become plain text."""
    return _LINK.sub(lambda match: _link(match, page.file.src_uri), markdown)


def _link(match: re.Match[str], page: str) -> str:
    image, text, path, anchor = match[1], match[2], match[3], match[4] or ""
    # Of the page and of what it links to, from the root of the repository.
    source = ROOT_PAGES.get(page, f"docs/{page}")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    name = _IN_SITE.get(target)
    if name is None and target.startswith("docs/") and target.endswith((".md", ".svg")):
        name = target[len("docs/") :]
    if name is None:
        return text if text.startswith("`") else f"`{text}`"
    return f"{image}[{text}]({os.path.relpath(name, posixpath.dirname(page) or '.')}{anchor})"
