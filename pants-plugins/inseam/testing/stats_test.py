"""What engines print of a container's use of memory and of its processes."""

from __future__ import annotations

import pytest

from inseam.testing import process, stats
from inseam.testing.process import Process
from inseam.testing.stats import Stats


@pytest.mark.parametrize(
    "line, expected",
    [
        ("16.09MiB / 23.5GiB|16", Stats(16_871_587, 16)),  # Docker
        ("1.5GiB / 2GiB|1", Stats(1_610_612_736, 1)),
        ("13.08MB / 25.28GB|9", Stats(13_080_000, 9)),  # Podman
        ("512B / 2GiB|1", Stats(512, 1)),
        ("900kB / 2GB|3", Stats(900_000, 3)),
    ],
)
def test_stats_are_numbers(line: str, expected: Stats) -> None:
    assert stats.parse(line) == expected


def test_an_unknown_size_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a size: '--'"):
        stats.parse("-- / --|--")


def test_processes_are_read_from_the_table_of_ps() -> None:
    text = """\
    PID    PPID STAT   RSS COMMAND
   6046    6025 Ss    9176 /opt/venv/bin/python /opt/venv/bin/entrypoint
   6080    6046 Z        0 [python] <defunct>
"""
    first, second = process.parse(text)
    command = "/opt/venv/bin/python /opt/venv/bin/entrypoint"
    assert first == Process(6046, 6025, "Ss", 9176 * 1024, command)
    assert (first.zombie, second.zombie) == (False, True)
