"""An ASGI application behaves as a service of the kit does."""

import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from servicekit import asgi
from servicekit.testing import Child, child, read_all, read_response, started, until

TEMPLATE = f"""
import asyncio, logging, sys
from servicekit import lifecycle

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        message = await receive()
        logging.getLogger("app").info("starting")
        DELAY
        await send({{"type": "lifespan.startup.STARTUP"}})
        await receive()
        return await send({{"type": "lifespan.shutdown.complete"}})
    if scope["path"] == "/fail":
        raise RuntimeError("the application's fault")
    if scope["path"] == "/slow":
        await asyncio.sleep(float(scope["query_string"]))
    body, more = b"", scope["method"] == "POST"
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    logging.getLogger("app").info("answering")
    await send({{"type": "http.response.start", "status": 200, "headers": [
        (b"content-length", b"%d" % len(body))]}})
    await send({{"type": "http.response.body", "body": body}})

def start(life):
    from servicekit import logs
    from {asgi.__name__} import serve
    from servicekit.settings import Settings

    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    return serve(app, settings, life)

sys.exit(lifecycle.run(start))
"""
PROGRAM = TEMPLATE.replace("DELAY", "pass")
GOOD = PROGRAM.replace("STARTUP", "complete")


@pytest.fixture(scope="module")
def service() -> Iterator[Child]:
    with started(GOOD, MAX_BODY_BYTES="1000") as service:
        yield service


def test_the_kit_answers_its_own_paths(service: Child) -> None:
    assert service.ask("GET", "/health")[::2] == (200, b"OK")
    assert service.ask("GET", "/ready")[::2] == (200, b"OK")
    assert b"# TYPE http_requests_total counter" in service.ask("GET", "/metrics")[2]
    assert service.ask("HEAD", "/health")[::2] == (200, b"")
    status, headers, _ = service.ask("POST", "/health")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_responses_and_log_lines_carry_the_request_id(service: Child) -> None:
    _, headers, _ = service.ask("GET", "/", headers={"X-Request-Id": "given"})
    assert headers["x-request-id"] == "given"
    assert service.wait_for("answering")["logger"] == "app"
    assert "given" in [line.get("request_id") for line in service.lines()]


def test_a_failing_application_is_a_500_and_a_log_line(service: Child) -> None:
    assert service.ask("GET", "/fail", headers={"X-Request-Id": "f-1"})[0] == 500
    line = next(line for line in service.lines() if line["level"] == "error")
    assert "the application's fault" in line["exception"]
    assert line["request_id"] == "f-1"


def test_a_body_too_long_is_refused(service: Child) -> None:
    assert service.ask("POST", "/", b"a" * 1000)[::2] == (200, b"a" * 1000)
    assert service.ask("POST", "/", b"a" * 1001)[0] == 413


def test_chunks_too_long_are_refused(service: Child) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with service.connect() as connection:
        connection.sendall(head + b"3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n")
        assert read_response(connection)[0] == 413


def test_answers_are_not_delayed_by_the_network_stack(service: Child) -> None:
    def seconds() -> float:
        start = time.monotonic()
        for _ in range(20):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_response(connection)[0] == 200
        return time.monotonic() - start

    with service.connect() as connection:
        # 40 ms each when small packets are held back, always; a busy machine delays some.
        assert min(seconds() for _ in range(10)) < 0.5


def taken_on(service: Child, requests: int) -> None:
    """Waits until the application has that many requests, besides the one that asks for it."""
    line = b"\nhttp_requests_in_flight %d\n" % (requests + 1)
    until(lambda: line in service.ask("GET", "/metrics")[2])
    assert line in service.ask("GET", "/metrics")[2]


def test_a_request_in_flight_is_answered() -> None:
    with started(GOOD) as service, service.connect() as connection:
        connection.sendall(b"GET /slow?2 HTTP/1.1\r\nHost: x\r\n\r\n")
        taken_on(service, 1)
        service.process.send_signal(signal.SIGTERM)
        status, head, _ = read_response(connection)
        assert (status, b"\r\nconnection: close\r\n" in head) == (200, True)
        assert service.process.wait(20) == 0


def test_a_request_on_a_kept_connection_is_answered_once_more() -> None:
    with started(GOOD) as service, service.connect() as connection:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        time.sleep(0.3)  # listening has ended
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_response(connection)[0] == 200
        assert read_all(connection) == b""
        assert service.process.wait(20) == 0


def test_until_the_drain_delay_ends_the_service_answers_but_is_not_ready() -> None:
    with started(GOOD, DRAIN_DELAY="2") as service:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        assert service.ask("GET", "/ready")[0] == 503
        assert service.ask("GET", "/")[0] == 200
        assert service.process.wait(20) == 0


def test_a_request_that_passes_the_deadline_is_abandoned() -> None:
    with started(GOOD, SHUTDOWN_TIMEOUT="0.3") as service, service.connect() as connection:
        connection.sendall(b"GET /slow?30 HTTP/1.1\r\nHost: x\r\n\r\n")
        taken_on(service, 1)
        assert service.stop() == 1
        assert service.messages()[-1] == "1 requests in flight at the deadline: ending at once"


def test_a_second_signal_ends_at_once() -> None:
    with started(GOOD) as service, service.connect() as connection:
        connection.sendall(b"GET /slow?30 HTTP/1.1\r\nHost: x\r\n\r\n")
        taken_on(service, 1)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        assert service.stop() == 143


def test_a_stop_request_while_the_application_starts_ends_with_zero() -> None:
    with child(TEMPLATE.replace("DELAY", "await asyncio.sleep(30)")) as service:
        service.wait_for("starting")
        assert service.stop() == 0


def test_an_application_that_fails_to_start_is_a_clear_line() -> None:
    with child(PROGRAM.replace("STARTUP", "failed")) as service:
        assert service.process.wait(60) == 1
        line = service.lines()[-1]
        assert line["message"] == "the application did not start: the lines above say why"
        assert line["level"] == "critical"


def test_silent_clients_do_not_starve_a_probe() -> None:
    with started(GOOD, MAX_CONNECTIONS="50") as service:
        silent = [service.connect() for _ in range(200)]
        for path in ("/health", "/ready", "/metrics", "/"):
            assert service.ask("GET", path)[0] == 200
        assert read_all(silent[0]) == b""
        silent[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_response(silent[-1])[0] == 200
        for each in silent:
            each.close()


def test_clients_that_do_not_go_on_make_room_after_a_while() -> None:
    with started(GOOD, MAX_CONNECTIONS="20", MAX_BODY_BYTES="1000") as service:
        slow = []
        for _ in range(10):
            slow += [service.connect(), service.connect()]
            slow[-1].sendall(b"GET / HT")
            slow[-2].sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
        time.sleep(1.5)
        assert service.ask("GET", "/")[0] == 200
        for each in slow:
            each.close()


def test_when_all_wait_for_the_application_a_probe_is_answered_and_others_get_a_503() -> None:
    with started(GOOD, MAX_CONNECTIONS="4") as service:
        waiting = [service.connect() for _ in range(4)]
        for each in waiting:
            each.sendall(b"GET /slow?4 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)
        assert service.ask("GET", "/health")[0] == 200
        status, headers, _ = service.ask("GET", "/")
        assert (status, headers["retry-after"]) == (503, "1")
        for each in waiting:
            assert read_response(each)[0] == 200
            each.close()
        assert service.ask("GET", "/")[0] == 200


def test_silent_and_slow_clients_are_closed_in_time() -> None:
    with started(GOOD, IDLE_TIMEOUT="0.3", REQUEST_TIMEOUT="0.3") as service:
        for sent in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"):
            with service.connect() as connection:
                connection.sendall(sent)
                read_all(connection)


def test_bodies_that_do_not_end_are_bounded_together() -> None:
    half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 90_000
    with started(GOOD, MAX_BUFFERED_BYTES="1000000", MAX_BODY_BYTES="200000") as service:
        connections = [service.connect() for _ in range(30)]
        for each in connections:
            with suppress(OSError):
                each.sendall(half)
        until(lambda: len(select.select(connections, [], [], 0)[0]) >= 10)
        time.sleep(0.5)  # no more than these
        answered = select.select(connections, [], [], 0)[0]
        assert 10 <= len(answered) <= 25
        assert read_response(answered[0])[0] == 503
        assert service.ask("GET", "/")[0] == 200
        for each in connections:
            each.close()
        # All of it is given back, once it sees that they have closed.
        until(lambda: service.ask("POST", "/", b"y" * 200_000)[0] == 200)
        assert service.ask("POST", "/", b"y" * 200_000)[0] == 200
