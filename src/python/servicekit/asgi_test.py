"""An ASGI application behaves as a service of the kit does."""

import signal
import time
from collections.abc import Iterator

import pytest

from servicekit import asgi
from servicekit.testing import Child, child, read_all, read_response, started

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
    with service.connect() as connection:
        start = time.monotonic()
        for _ in range(20):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_response(connection)[0] == 200
        assert time.monotonic() - start < 0.5  # 40 ms each when small packets are held back


def test_a_request_in_flight_is_answered() -> None:
    with started(GOOD) as service, service.connect() as connection:
        connection.sendall(b"GET /slow?0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        service.process.send_signal(signal.SIGTERM)
        status, head, _ = read_response(connection)
        assert (status, b"\r\nconnection: close\r\n" in head) == (200, True)
        assert service.process.wait(5) == 0


def test_a_request_on_a_kept_connection_is_answered_once_more() -> None:
    with started(GOOD) as service, service.connect() as connection:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        time.sleep(0.3)  # listening has ended
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_response(connection)[0] == 200
        assert read_all(connection) == b""
        assert service.process.wait(5) == 0


def test_until_the_drain_delay_ends_the_service_answers_but_is_not_ready() -> None:
    with started(GOOD, DRAIN_DELAY="0.5") as service:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        assert service.ask("GET", "/ready")[0] == 503
        assert service.ask("GET", "/")[0] == 200
        assert service.process.wait(5) == 0


def test_a_request_that_passes_the_deadline_is_abandoned() -> None:
    with started(GOOD, SHUTDOWN_TIMEOUT="0.3") as service, service.connect() as connection:
        connection.sendall(b"GET /slow?30 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        assert service.stop() == 1
        assert service.messages()[-1] == "1 requests in flight at the deadline: ending at once"


def test_a_second_signal_ends_at_once() -> None:
    with started(GOOD) as service, service.connect() as connection:
        connection.sendall(b"GET /slow?30 HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        assert service.stop() == 143


def test_a_stop_request_while_the_application_starts_ends_with_zero() -> None:
    with child(TEMPLATE.replace("DELAY", "await asyncio.sleep(30)")) as service:
        service.wait_for("starting")
        assert service.stop() == 0


def test_an_application_that_fails_to_start_is_a_clear_line() -> None:
    with child(PROGRAM.replace("STARTUP", "failed")) as service:
        assert service.process.wait(10) == 1
        line = service.lines()[-1]
        assert line["message"] == "the application did not start: the lines above say why"
        assert line["level"] == "critical"
