"""Reads from maintainer scripts, without running them, which alternatives a package offers.

update-alternatives(1) creates links such as /usr/bin/java when a package is installed. Its calls
are found in the text of the package's postinst if they use only plain words, variables that are set
to plain words, and `for` loops over such words.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

from inseam.formats.numbers import whole_number

_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)=(\S*|'[^']*'|\"[^\"]*\")\s*\Z")
_LOOP = re.compile(r"\s*for\s+([A-Za-z_]\w*)\s+in\s+([^;]*?)\s*(?:;\s*do\s*)?\Z")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_CALL = re.compile(r"\bupdate-alternatives\s")
_INSTALL = re.compile(r"--install\b")
_END_OF_CALL = re.compile(r"\|\||&&|;|\s[12]?>")
_LONGEST = 10_000  # longest value in characters


@dataclass(frozen=True)
class Alternative:
    """One member of a group; the member with the highest priority is used."""

    name: str
    """Name of the group."""
    link: str
    """Absolute path of the link to `target`."""
    target: str
    priority: int
    followers: tuple[tuple[str, str, str], ...] = ()
    """(link, name, target) of each slave link."""


def alternatives_of(script: str) -> list[Alternative]:
    """The alternatives that a postinst installs."""
    values: dict[str, Sequence[str]] = {}
    loops: list[str] = []
    found: list[Alternative] = []
    for line in script.replace("\\\n", " ").split("\n"):
        assignment, loop = _ASSIGNMENT.match(line), _LOOP.match(line)
        if loop:
            loops.append(loop[1])
            values[loop[1]] = [word for text in loop[2].split() for word in _words(text, values)]
        elif re.match(r"\s*done\b", line) and loops:
            loops.pop()
        elif assignment and assignment[1] not in values:
            values[assignment[1]] = _words(assignment[2], values)
        call = _CALL.search(line)
        if call and _INSTALL.search(line, call.end()):
            text = _END_OF_CALL.split(line[call.end() :])[0]
            looped = loops[-1] if loops else ""
            for word in values[looped] if looped else [""]:
                found += _installed(text, {**values, looped: [word]})
    return found


def _words(text: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """The words that a value expands to; none if it is unknown."""
    plain = _expanded(text.strip("'\""), values)
    return [] if plain is None else plain.split()


def _expanded(text: str, values: Mapping[str, Sequence[str]]) -> str | None:
    def value(match: re.Match[str]) -> str:
        return " ".join(values.get(match[1] or match[2], ())) or "$"

    plain = _VARIABLE.sub(value, text)
    # Thirty variables that each contain the previous one twice would expand to a thousand million.
    return None if "$" in plain or "`" in plain or len(plain) > _LONGEST else plain


def _installed(text: str, values: Mapping[str, Sequence[str]]) -> Iterator[Alternative]:
    try:
        words = [_expanded(word, values) for word in shlex.split(text, comments=True)]
    except ValueError:
        return
    if "--install" not in words:
        return
    at = words.index("--install") + 1
    link, name, target, number = (*words[at : at + 4], *[None] * 4)[:4]
    priority = whole_number(number or "")
    if not (link and name and target) or priority is None:
        return
    followers = []
    for index, word in enumerate(words):
        follower = words[index + 1 : index + 4]
        if word == "--slave" and len(follower) == 3 and all(follower):
            followers.append((str(follower[0]), str(follower[1]), str(follower[2])))
    if link.startswith("/") and target.startswith("/") and "/" not in name:
        yield Alternative(name, link, target, priority, tuple(followers))
