"""Reads from Pants' log, at level debug and with --stats-log, what a build did."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

_SPAWNED = re.compile(
    r"spawned local process as \w+\(\d+\) for Process .*"
    r' description: "((?:[^"\\]|\\.)*)", level: '
)
_HIT = re.compile(r'remote cache hit for: "((?:[^"\\]|\\.)*)" digest=')
_COUNTER = re.compile(r"^  (\w+): (\d+)$", re.MULTILINE)
_WARNING = re.compile(r"^\S+ \[WARN\] (.*)$", re.MULTILINE)

# What Pants does anew in each session that has no daemon: it looks around on the machine.
_LOOKING_AROUND = re.compile(
    r"Searching for `|Test binary |Resolving plugins|Extracting plugin locations"
    r"|Find interpreter for constraints|Install the programs for /"
)


@dataclass(frozen=True)
class Log:
    """The log of one run of Pants."""

    text: str

    @cached_property
    def processes(self) -> list[str]:
        """The descriptions of the sandboxed processes that were started on this machine, sorted,
        but for those that look around on the machine."""
        found = (match[1] for match in _SPAWNED.finditer(self.text))
        return sorted(text for text in found if not _LOOKING_AROUND.match(text))

    @cached_property
    def made(self) -> list[str]:
        """Those of `processes` whose result no remote cache gave while they ran."""
        hits = Counter(match[1] for match in _HIT.finditer(self.text))
        return sorted((Counter(self.processes) - hits).elements())

    def started(self, rule: str) -> int:
        """How often the rule with this description began, which must have level debug or lower."""
        return len(re.findall(rf" Starting: {re.escape(rule)}$", self.text, re.MULTILINE))

    @cached_property
    def counters(self) -> dict[str, int]:
        """Pants' own counters, like `local_execution_requests`."""
        return {match[1]: int(match[2]) for match in _COUNTER.finditer(self.text)}

    @cached_property
    def warnings(self) -> list[str]:
        """First lines of the warnings."""
        return _WARNING.findall(self.text)
