"""The reports service as a process."""

import io
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from reports import healthcheck, server
from servicekit.testing import Child, child, started

CSV = b"city,kwh\n" + b"".join(
    b"%s,%d\n" % (b"Oslo" if n % 2 else b"Bergen", n) for n in range(5000)
)


@pytest.fixture(scope="module")
def service() -> Iterator[Child]:
    with started(server) as service:
        yield service


def test_a_table_becomes_a_report_that_is_kept_as_parquet(service: Child) -> None:
    assert service.ask("GET", "/reports/latest")[0] == 404
    status, _, body = service.ask("POST", "/reports?by=city", CSV)
    rows = json.loads(body)
    assert status == 200
    assert [(row["city"], row["count"]) for row in rows] == [("Bergen", 2500), ("Oslo", 2500)]
    _, headers, parquet = service.ask("GET", "/reports/latest")
    assert headers["content-type"] == "application/vnd.apache.parquet"
    assert pyarrow.parquet.read_table(io.BytesIO(parquet)).to_pylist() == rows


def test_what_cannot_be_reported_is_told_why(service: Child) -> None:
    assert service.ask("POST", "/reports", CSV)[::2] == (
        400,
        b"say which column to group by: /reports?by=COLUMN\n",
    )
    assert service.ask("POST", "/reports?by=town", CSV)[::2] == (
        422,
        b"no column 'town': there are 'city', 'kwh'\n",
    )


def test_it_is_healthy_and_stops_with_zero() -> None:
    with started(server) as service:
        assert healthcheck.main(["--port", str(service.port)]) == 0
        assert service.stop() == 0


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal (proc(5), SigCgt): a busy machine may take long
    to start one."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(status["SigCgt"], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("seconds", [0.0, 0.15, 0.3])
def test_a_stop_request_during_the_long_imports_ends_with_zero(seconds: float) -> None:
    with child(server) as service:
        while not catches(service.process.pid, signal.SIGTERM):
            assert service.process.poll() is None
            time.sleep(0.01)
        time.sleep(seconds)
        assert service.stop(signal.SIGTERM) == 0
