from __future__ import annotations

import json
from pathlib import Path

import pytest

from inseam.formats.python.entry_point import EntryPoint
from inseam.formats.python.termination import (
    Endless,
    Termination,
    load_termination,
    merged_termination,
    termination_of,
)


def found(
    folder: Path, text: str, attribute: str = "main", server: str = "", **more: str
) -> Termination:
    files = {}
    for name, content in {"job.py": text, **{f"{one}.py": more[one] for one in more}}.items():
        files[name] = folder / name
        files[name].write_text(content)
    return termination_of(files, [EntryPoint("entrypoint", "job", attribute, server)])


LOOP = "import time\ndef main():\n    while True:\n        time.sleep(1)\n"


@pytest.mark.parametrize(
    "text, line",
    [
        (LOOP, 3),
        ("async def main():\n    await server.serve_forever()\n", 2),
        ("def main():\n    with Server() as s:\n        s.serve_forever()\n", 3),
        ("def main():\n    server.start()\n    server.wait_for_termination()\n", 3),
        ("def main():\n    try:\n        channel.start_consuming()\n    finally: ...\n", 3),
    ],
)
def test_what_runs_for_ever_without_a_handler(tmp_path: Path, text: str, line: int) -> None:
    assert found(tmp_path, text) == (False, (Endless("entrypoint", "job.py", line),))


def test_a_module_that_is_run_is_read_as_a_whole(tmp_path: Path) -> None:
    text = "if __name__ == '__main__':\n    while 1: ...\n"
    assert [one.line for one in found(tmp_path, text, attribute="").endless] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "def main(): ...\n",
        "def main():\n    while True:\n        break\n",
        "def main():\n    while going:\n        step()\n",
        "def main():\n    def never():\n        while True: ...\n",
        "def other():\n    while True: ...\n",
        "import uvicorn\n" + LOOP,
        "from celery import Celery\n" + LOOP,
        "main = (",
    ],
)
def test_what_ends_or_may_handle_the_signal_is_not_told(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == (False, ())


def test_a_handler_anywhere_in_the_code_counts(tmp_path: Path) -> None:
    handler = "import signal\nsignal.signal(signal.SIGTERM, stop)\n"
    assert found(tmp_path, LOOP, other=handler) == (True, ())


def test_servers_have_handlers(tmp_path: Path) -> None:
    assert found(tmp_path, LOOP, server="uvicorn") == (False, ())


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    known = found(tmp_path, LOOP)
    assert load_termination(json.dumps(known).encode()) == known


def test_a_handler_in_another_package_counts_too(tmp_path: Path) -> None:
    endless = found(tmp_path, LOOP)
    assert merged_termination([endless, endless, Termination(False, ())]) == endless
    assert merged_termination([endless, Termination(True, ())]) == (True, ())
