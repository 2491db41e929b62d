"""Finds the code blocks of the documentation.

A block without a language holds commands. The test of the documentation runs them, unless a comment
above says why not: `<!-- not run: REASON -->`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?" r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# The first line of a block may say which file it shows.
_FILE = re.compile(r"# ([\w.-]+(?:/[\w.-]+)+)\n")


class Block(NamedTuple):
    """A code block. reason: why it is not run, if it says so. line: of its first line of code."""

    page: str
    line: int
    language: str
    text: str
    reason: str

    @property
    def place(self) -> str:
        """Where it is, as "README.md:9"."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """Path of the file that it shows, from the root of the repository; "" if it shows none."""
        found = _FILE.match(self.text)
        return found[1] if found else ""


def blocks_of(page: str, text: str) -> list[Block]:
    """The code blocks of a page."""
    return [
        Block(
            page,
            text.count("\n", 0, found.start("text")) + 1,
            found["language"],
            found["text"],
            found["reason"] or "",
        )
        for found in _BLOCK.finditer(text)
    ]


def pages() -> list[Path]:
    """The pages of the documentation, from the root of the repository."""
    folders = (Path("docs"), Path("examples"))
    below = (path for folder in folders for path in sorted(folder.rglob("*.md")))
    return [*sorted(Path().glob("*.md")), *below]


def blocks() -> list[Block]:
    """The code blocks of the documentation."""
    return [block for page in pages() for block in blocks_of(str(page), page.read_text())]
