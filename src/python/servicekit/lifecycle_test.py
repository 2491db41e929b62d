"""How a service ends, whenever it is asked to."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from servicekit.testing import Child, child, read_all, read_response, started

SLOW = """
import sys, time
from servicekit import lifecycle

def start(life):
    from servicekit import logs
    from servicekit.response import Response
    from servicekit.routes import Routes
    from servicekit.server import Server
    from servicekit.settings import Settings

    def slow(request):
        time.sleep(float(request.parameter("seconds")))
        return Response.text("done")

    routes = Routes()
    routes.add("GET", "/slow", slow)
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    return Server(routes, settings, life).serve()

sys.exit(lifecycle.run(start))
"""
SLOW_START = """
import sys, time
from servicekit import lifecycle

def start(life):
    lifecycle.say("info", "starting")
    {body}

sys.exit(lifecycle.run(start))
"""


def request_slow(service: Child, seconds: float) -> socket.socket:
    connection = service.connect()
    connection.sendall(b"GET /slow?seconds=%f HTTP/1.1\r\nHost: x\r\n\r\n" % seconds)
    while b"in_flight 1\n" not in service.ask("GET", "/metrics")[2]:
        time.sleep(0.005)
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_request_ends_with_zero(number: signal.Signals) -> None:
    with started(SLOW) as service:
        assert service.stop(number) == 0
        assert service.messages() == ["listening", f"stopping: {number.name}", "stopped"]


def test_a_request_in_flight_is_answered() -> None:
    with started(SLOW) as service, request_slow(service, 0.5) as connection:
        service.process.send_signal(signal.SIGTERM)
        status, head, body = read_response(connection)
        assert (status, body) == (200, b"done")
        assert b"\r\nconnection: close\r\n" in head
        connection.close()
        assert service.process.wait(20) == 0


def test_a_request_on_a_kept_connection_is_answered_once_more() -> None:
    with started(SLOW) as service, service.connect() as connection:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        time.sleep(0.3)  # listening has ended
        connection.sendall(b"GET /slow?seconds=0 HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        first, second = read_response(connection), read_response(connection)
        assert b"connection: close" not in first[1]
        assert b"connection: close" in second[1]
        assert read_all(connection) == b""
        connection.close()
        assert service.process.wait(20) == 0


def test_requests_that_wait_in_the_backlog_are_answered() -> None:
    with started(SLOW, MAX_CONNECTIONS="1") as service, service.connect() as first:
        first.sendall(b"GET /slow?seconds=0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting = [service.connect() for _ in range(5)]
        for connection in waiting:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        service.process.send_signal(signal.SIGTERM)
        for connection in (first, *waiting):
            assert read_response(connection)[0] == 200
            connection.close()
        assert service.process.wait(20) == 0


def test_an_idle_connection_delays_the_end_by_little() -> None:
    with started(SLOW) as service, service.connect(), service.connect() as half:
        half.sendall(b"GET / HT")
        start = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - start < 4


def test_until_the_drain_delay_ends_the_service_answers_but_is_not_ready() -> None:
    with started(SLOW, DRAIN_DELAY="2") as service:
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        assert service.ask("GET", "/ready")[0] == 503
        assert service.ask("GET", "/health")[0] == 200
        assert service.ask("GET", "/slow?seconds=0")[::2] == (200, b"done")
        assert service.process.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            service.connect()


def test_a_request_that_passes_the_deadline_is_abandoned() -> None:
    with started(SLOW, SHUTDOWN_TIMEOUT="0.3") as service, request_slow(service, 30):
        assert service.stop() == 1
        assert service.messages()[-1] == "1 requests in flight at the deadline: ending at once"


def test_a_second_signal_ends_at_once() -> None:
    with started(SLOW) as service, request_slow(service, 30):
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping: SIGTERM")
        assert service.stop(signal.SIGINT) == 130
        assert service.messages()[-1] == "SIGINT while stopping: ending at once"


def test_a_stop_request_while_starting_ends_with_zero() -> None:
    with child(SLOW_START.format(body="time.sleep(30)")) as service:
        service.wait_for("starting")
        assert service.stop() == 0


def test_a_stop_request_during_an_import_that_hides_it_ends_with_zero() -> None:
    body = """
    try:
        time.sleep(30)
    except BaseException:
        raise ImportError("half a module")"""
    with child(SLOW_START.format(body=body)) as service:
        service.wait_for("starting")
        assert service.stop() == 0


def test_a_stop_request_that_start_up_swallows_still_stops() -> None:
    body = """
    try:
        time.sleep(30)
    except BaseException:
        pass
    from servicekit.routes import Routes
    from servicekit.server import Server
    from servicekit.settings import Settings
    return Server(Routes(), Settings.from_environment(), life).serve()"""
    with child(SLOW_START.format(body=body)) as service:
        service.wait_for("starting")
        assert service.stop() == 0


def test_an_error_in_start_up_is_one_line() -> None:
    with child(SLOW_START.format(body="raise OSError('no \\\\ disk')")) as service:
        assert service.process.wait(60) == 1
        _, line = service.lines()
        assert (line["level"], line["message"]) == ("critical", "cannot start: OSError: no \\ disk")
        assert line["exception"].startswith("Traceback")


def test_a_wrong_setting_is_one_line_without_a_traceback() -> None:
    with child(SLOW, PORT="eighty") as service:
        assert service.process.wait(60) == 2
        (line,) = service.lines()
        assert line["message"] == "PORT must be a whole number from 1 to 65535, not 'eighty'"
        assert "exception" not in line


def test_an_address_in_use_is_one_line() -> None:
    with started(SLOW) as first, child(SLOW, PORT=str(first.port)) as second:
        assert second.process.wait(60) == 1
        (line,) = second.lines()
        assert "Address already in use" in line["message"]


def test_hearing_signals_takes_few_imports() -> None:
    text = (
        "import sys; a = set(sys.modules); import servicekit.lifecycle; print(*set(sys.modules)-a)"
    )
    command = [sys.executable, "-B", "-S", "-c", text]
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    modules = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert not {"json", "logging", "socket", "threading", "dataclasses"} & set(
        modules.stdout.split()
    )


@pytest.mark.parametrize("milliseconds", range(0, 200, 20))
def test_a_stop_request_at_any_time_ends_the_service(milliseconds: int) -> None:
    with child(SLOW) as service:
        time.sleep(milliseconds / 1000)
        code = service.stop()
        # Before the interpreter has reached the first line, the kernel's default applies.
        assert code == 0 or (code == -signal.SIGTERM and service.lines() == [])
