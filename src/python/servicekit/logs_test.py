"""What a log line looks like."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from servicekit import logs

ReadLines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(name="read_lines")
def capture(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadLines]:
    """Logging goes to a pipe; the value reads what was logged."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(writer, data))
    before = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure("info")
    yield lambda: [json.loads(line) for line in os.read(reader, 65536).splitlines()]
    logging.captureWarnings(False)
    logging.getLogger().handlers[:], logging.getLogger().level = before
    os.close(reader)
    os.close(writer)


def test_a_line_is_one_json_object(read_lines: ReadLines) -> None:
    logging.getLogger("a.b").info("two\nlines of %s", "text", extra={"fields": {"count": 3}})
    (line,) = read_lines()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "logger": "a.b", "message": "two\nlines of text", "count": 3}


def test_lines_below_the_level_are_left_out(read_lines: ReadLines) -> None:
    logging.getLogger("a").debug("fine")
    logging.getLogger("a").warning("coarse")
    assert [line["message"] for line in read_lines()] == ["coarse"]


def test_an_exception_stays_in_its_line(read_lines: ReadLines) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("a").exception("failed")
    (line,) = read_lines()
    assert line["exception"].endswith("ValueError: why")


def test_a_line_carries_the_request_id(read_lines: ReadLines) -> None:
    token = logs.request_id.set("r1")
    logging.getLogger("a").info("in a request")
    logs.request_id.reset(token)
    assert [line["request_id"] for line in read_lines()] == ["r1"]


def test_a_closed_stdout_does_not_stop_the_service(
    read_lines: ReadLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, data: bytes) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(os, "write", fail)
    logging.getLogger("a").info("to nobody")
    assert sys.exc_info() == (None, None, None)


@pytest.mark.parametrize("given", ["abc-1", "00-4bf92f-01", "a" * 128])
def test_a_plain_request_id_is_kept(given: str) -> None:
    assert logs.usable_request_id(given) == given


@pytest.mark.parametrize("given", ["", "a" * 129, 'a"b', "a b", "é"])
def test_another_request_id_is_replaced(given: str) -> None:
    first, second = logs.usable_request_id(given), logs.usable_request_id(given)
    assert given not in (first, second)
    assert first != second
