"""SIGTERM under load, during a request and during start-up: nothing that was taken on is lost."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from images import load, wire
from images.services import SERVICES
from inseam.testing import Container, Engine, Image, RunOptions, started

BOOK = b'{"isbn": "9780131103627", "title": "C", "year": 1988}'
TABLE = b"city,kwh\n" + b"Oslo,1\nBergen,2\n" * 1000

# Of each service a POST, with the status of its answer.
POSTS = {
    "service": ("/", "text/plain", b"x" * 100, 405),
    "catalog": ("/books", "application/json", BOOK, 201),
    "reports": ("/reports?by=city", "text/csv", TABLE, 200),
}

CONNECTIONS = 200
WRK_REQUESTS = 50_000


@pytest.mark.parametrize(
    "name, path, requests",
    [("service", "/", 50_000), ("catalog", "/", 2_000), ("reports", "/health", 10_000)],
)
def test_no_request_is_lost_when_sigterm_comes_under_load(
    start_image: Callable[..., Container], name: str, path: str, requests: int
) -> None:
    container = wire.start_on_loopback(start_image, name)
    (port,) = container.ports
    stopped = False

    def turn(outcome: load.Outcome) -> bool:
        nonlocal stopped
        if outcome.answered >= requests and not stopped:
            stopped = True
            Thread(target=container.signal, args=["SIGTERM"]).start()
        return outcome.answered < 20 * requests  # it never stopped

    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    outcome = load.run(port, CONNECTIONS, request, turn)
    print(outcome)
    assert outcome.lost == []
    assert requests <= outcome.answered < 20 * requests
    assert container.wait() == 0


def test_wrk_sees_no_request_lost_when_sigterm_comes(start_image: Callable[..., Container]) -> None:
    program = shutil.which("wrk")
    if program is None:
        pytest.skip("wrk is not installed: apt-get install wrk")
    container = wire.start_on_loopback(start_image, "service")
    command = [program, "-t1", f"-c{CONNECTIONS}", "-d120s", "--timeout=60s", container.base_url]
    wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        while wire.metric(container, "http_requests_total") < WRK_REQUESTS:
            assert wrk.poll() is None, "wrk ended before the service was stopped"
            time.sleep(0.2)
        container.assert_stops(0)
        wrk.send_signal(signal.SIGINT)  # it prints its summary
        text, _ = wrk.communicate(timeout=60)
    finally:
        wrk.kill()
    print(text)
    # A request that was sent and not answered is an error of reading, or times out. What wrk calls
    # errors of writing are connections that it no longer accepts.
    answered = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    lost = {kind: int(count) for kind, count in re.findall(r"(read|timeout) (\d+)", text)}
    assert answered >= WRK_REQUESTS
    assert set(lost.values()) <= {0}, text
    assert "Non-2xx" not in text, text


@pytest.mark.parametrize("name", SERVICES)
def test_a_request_that_has_begun_is_answered(
    start_image: Callable[..., Container], name: str
) -> None:
    path, content_type, body, status = POSTS[name]
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    container = wire.start_on_loopback(start_image, name)
    with wire.connect(container) as connection:
        connection.sendall(head.encode() + body[:50])
        container.signal("SIGTERM")
        wait_for_log(container, "stopping: SIGTERM")
        connection.sendall(body[50:])
        assert wire.read_answers(connection, 1) == [status]
    assert container.wait() == 0


def test_the_deadline_ends_a_request_that_never_ends(start_image: Callable[..., Container]) -> None:
    container = wire.start_on_loopback(start_image, "service", SHUTDOWN_TIMEOUT="1")
    with wire.connect(container) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        container.signal("SIGTERM")
        assert container.wait() == 1
    assert "1 requests in flight at the deadline" in container.logs()


def test_a_second_signal_ends_it_at_once(start_image: Callable[..., Container]) -> None:
    container = wire.start_on_loopback(start_image, "service", SHUTDOWN_TIMEOUT="600")
    with wire.connect(container) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        container.signal("SIGTERM")
        wait_for_log(container, "stopping: SIGTERM")
        container.signal("SIGTERM")
        assert container.wait() == 128 + signal.SIGTERM


def test_readiness_turns_503_before_it_stops_listening(
    start_image: Callable[..., Container]
) -> None:
    container = wire.start_on_loopback(start_image, "service", DRAIN_DELAY="8")
    ready = b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n"
    assert wire.exchange(container, ready) == [200]
    container.signal("SIGTERM")
    wait_for_log(container, "stopping: SIGTERM")
    assert wire.exchange(container, ready) == [503]
    assert wire.exchange(container, wire.GET) == [200]
    assert container.wait() == 0


@pytest.mark.parametrize("init", [False, True], ids=["alone", "init"])
@pytest.mark.parametrize("name", SERVICES)
def test_sigterm_during_start_up_ends_it_with_zero(
    container_engine: Engine, images: dict[str, Image], name: str, init: bool
) -> None:
    """From the moment on in which the service has handlers, which Python needs a while to reach."""
    codes = []
    for delay in (0.0, 0.05, 0.2):
        with started(container_engine, images[name], RunOptions(init=init)) as container:
            wait_for_handler(container.inspect()["State"]["Pid"], init)
            time.sleep(delay)
            container.signal("SIGTERM")
            codes.append(container.wait())
    assert codes == [0, 0, 0]


def wait_for_log(container: Container, text: str) -> None:
    for _ in range(600):
        if text in container.logs():
            return
        time.sleep(0.05)
    raise AssertionError(f"no {text!r} in\n{container.logs()}")


def wait_for_handler(pid: int, init: bool) -> None:
    """Until the service catches SIGTERM, or as PID 1 waits for it.

    pid: of the container's PID 1, on the host.
    """
    if not Path(f"/proc/{pid}").exists():
        pytest.skip("the engine is on another machine: its processes cannot be watched")
    for _ in range(10_000):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in [str(pid)] if not init else children:
            status = Path(f"/proc/{process}/status").read_text()
            for field in ("SigCgt", "SigBlk"):
                mask = int(re.search(rf"{field}:\t(\w+)", status)[1], 16)  # type: ignore[index]
                if mask & 1 << (signal.SIGTERM - 1):
                    return
        time.sleep(0.001)
    raise AssertionError("the service never handles SIGTERM")
