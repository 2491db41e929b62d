"""Finds links and names of modules in the documentation that lead nowhere."""

from __future__ import annotations

import os
import re
from pathlib import Path

from docs.blocks import pages

# Links to pages; those to other files and sites are left alone.
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*\.md|)(?:#([^)\s]+))?\)")

# Modules of the rule set, as "`rules/image/dist.py`" or "pants-plugins/inseam/formats/elf.py".
_RULE_SET = Path("pants-plugins/inseam")
_MODULE = re.compile(r"(?:`|pants-plugins/inseam/)([a-z_]+/[a-z_0-9/]+\.py)\b")


def missing_modules() -> list[str]:
    """The modules of the rule set that pages name and that do not exist, each as "PAGE: PATH"."""
    folders = {path.name for path in _RULE_SET.iterdir() if path.is_dir()}
    return [
        f"{page}: {name}"
        for page in pages()
        for name in _MODULE.findall(page.read_text())
        if name.split("/")[0] in folders and not (_RULE_SET / name).is_file()
    ]


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
