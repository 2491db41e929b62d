"""Finds the links of the documentation that lead nowhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

from docs.blocks import pages

# Links to pages; those to other files and sites are left alone.
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*\.md|)(?:#([^)\s]+))?\)")


def broken_links() -> list[str]:
    """The links between pages whose page or heading does not exist, each as "PAGE: TARGET"."""
    headings = {page: _anchors(page.read_text()) for page in pages()}
    broken = []
    for page in headings:
        for path, anchor in _LINK.findall(page.read_text()):
            target = Path(os.path.normpath(page.parent / path)) if path else page
            if target not in headings or (anchor and anchor not in headings[target]):
                broken.append(f"{page}: {path}#{anchor}")
    return broken


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w -]", "", heading.strip().lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
