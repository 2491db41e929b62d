"""Reads from the report of the plugin `workunit_report` what a build did."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

# The folder where Pants finds the plugin, and the plugin's name.
PLUGINS = Path(__file__).with_name("plugin")
BACKEND = "workunit_report"

_WARNING = re.compile(r"^\S+ \[WARN\] (.*)$", re.MULTILINE)

# Processes that Pants runs in each session without a daemon, to inspect the machine.
_LOOKING_AROUND = re.compile(
    r"Searching for `|Test binary |Resolving plugins|Extracting plugin locations"
    r"|Find interpreter for constraints|Install the programs for /"
)


def options(report: Path) -> list[str]:
    """The options that make Pants write the report."""
    return [
        f"--pythonpath=+['{PLUGINS}']",
        f"--backend-packages=+['{BACKEND}']",
        f"--workunit-report-path={report}",
    ]


@dataclass(frozen=True)
class Report:
    """What one run of Pants did; counters: Pants' own, such as `remote_cache_read_errors`.
    warnings: the first line of each."""

    workunits: tuple[dict[str, Any], ...]
    counters: dict[str, int]
    warnings: tuple[str, ...]

    @cached_property
    def all_processes(self) -> list[str]:
        """The descriptions of the sandboxed processes that ran on this machine, sorted, without
        those whose results came from a cache.
        """
        return sorted(
            json.loads(unit["definition"])["description"]
            for unit in self.workunits
            if unit["name"] == "process" and unit.get("source") == "Ran"
        )

    @cached_property
    def processes(self) -> list[str]:
        """Those of `all_processes` that do not just inspect the machine."""
        return [text for text in self.all_processes if not _LOOKING_AROUND.match(text)]

    def ran(self, rule: str) -> int:
        """How often the rule with this description ran; its level must be debug or lower."""
        return sum(unit["description"] == rule for unit in self.workunits)


def read_report(path: Path, stderr: str) -> Report:
    """The report that a run with `options` wrote, and the warnings in its output."""
    report = json.loads(path.read_bytes())
    return Report(tuple(report["workunits"]), report["counters"], tuple(_WARNING.findall(stderr)))
