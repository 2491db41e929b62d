"""Reads the paragraphs of Debian control data (deb822(5), Debian policy section 5.1)."""

from __future__ import annotations

from typing import Dict, Iterator

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word

Paragraph = Dict[str, str]


class DebianError(Failure):
    """An error in a Debian package, lock or mirror; the text says what to do next."""


def paragraphs(text: str) -> Iterator[Paragraph]:
    """Yields each paragraph as a mapping from field name to value.

    A value that continues over several lines keeps its newlines, without the leading space of each
    line. Lines that start with `#` are comments. Raises DebianError for a line that is not a field.
    """
    fields: dict[str, list[str]] = {}
    name = ""
    for line in text.split("\n"):
        if line[:1] in (" ", "\t") and line.strip():
            if not name:
                raise DebianError(
                    f"control data starts with a continuation line: {foreign_word(line)}"
                )
            fields[name].append(line[1:])
        elif not line.strip():
            if fields:
                yield _joined(fields)
            fields, name = {}, ""
        elif not line.startswith("#"):
            name, colon, value = line.partition(":")
            if not colon or not name:
                raise DebianError(
                    f"control data has a line without a field name: {foreign_word(line)}"
                )
            fields[name] = [value.strip()]
    if fields:
        yield _joined(fields)


def _joined(fields: dict[str, list[str]]) -> Paragraph:
    return {name: "\n".join(lines) for name, lines in fields.items()}


def single_paragraph(text: str, owner: str) -> Paragraph:
    """The paragraph of `text`; raises DebianError, naming `owner`, unless there is exactly one."""
    try:
        found = list(paragraphs(text))
    except DebianError as error:
        raise DebianError(f"{owner}: {error}") from None
    if len(found) != 1:
        raise DebianError(f"{owner}: expected one paragraph of control data, found {len(found)}")
    return found[0]
