"""How the server treats its clients, the good ones and the others."""

import logging
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from servicekit import logs
from servicekit.request import Parser, Request
from servicekit.response import Response
from servicekit.routes import Routes
from servicekit.testing import Client, read_all, read_response, serving, started, until

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


POST_HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"


def echo(request: Request) -> Response:
    return Response(body=request.body)


def fail(request: Request) -> Response:
    raise RuntimeError("the handler's fault")


def make_routes() -> Routes:
    routes = Routes()
    routes.add("GET", "/hello", lambda request: Response.text("Hello"))
    routes.add("POST", "/echo", echo)
    routes.add("POST", "/closed", echo, check=lambda request: Response.error(401))
    routes.add("GET", "/fail", fail)
    routes.add("GET", "/exit", lambda request: sys.exit(3))
    routes.add("GET", "/odd", lambda request: Response(headers=(("a", "b\r\nc"),)))
    routes.add("GET", "/large", lambda request: Response(body=b"x" * (8 << 20)))
    routes.add("GET", "/id", lambda request: Response.text(logs.request_id.get()))
    return routes


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving(make_routes(), max_body_bytes=1000, max_header_bytes=1000) as client:
        yield client


def gauge(client: Client, name: str) -> int:
    text = client.ask("GET", "/metrics")[2].decode()
    return int(next(line for line in text.splitlines() if line.startswith(name + " ")).split()[1])


def test_the_kit_answers_health_ready_and_metrics(client: Client) -> None:
    assert client.ask("GET", "/health")[::2] == (200, b"OK")
    assert client.ask("GET", "/ready")[::2] == (200, b"OK")
    status, headers, body = client.ask("GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE http_requests_total counter" in body


def test_head_is_get_without_the_body(client: Client) -> None:
    status, headers, body = client.ask("HEAD", "/hello")
    assert (status, headers["content-length"], body) == (200, "5", b"")


def test_unknown_paths_and_methods_have_their_statuses(client: Client) -> None:
    assert client.ask("GET", "/none")[0] == 404
    status, headers, _ = client.ask("DELETE", "/health")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_many_requests_share_a_connection(client: Client) -> None:
    with client.connect() as connection:
        for _ in range(100):
            connection.sendall(GET % b"hello")
            assert read_response(connection)[::2] == (200, b"Hello")


def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    post = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d"
    requests = b"".join(post % (n % 10) + GET % b"health" for n in range(50))
    with client.connect() as connection:
        connection.sendall(requests + CLOSE % b"hello")
        bodies = [read_response(connection)[2] for _ in range(101)]
    assert bodies == [each for n in range(50) for each in (b"%d" % (n % 10), b"OK")] + [b"Hello"]


def test_a_client_may_end_its_side_after_the_request(client: Client) -> None:
    assert client.exchange(GET % b"hello").endswith(b"\r\n\r\nHello")


def test_a_request_that_comes_a_byte_at_a_time_is_answered(client: Client) -> None:
    with client.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET % b"hello":
            connection.send(bytes([byte]))
        assert read_response(connection)[2] == b"Hello"


def test_http_1_0_gets_one_answer(client: Client) -> None:
    answer = client.exchange(b"GET /hello HTTP/1.0\r\n\r\nGET /hello HTTP/1.0\r\n\r\n")
    assert answer.count(b"Hello") == 1
    assert b"\r\nconnection: close\r\n" in answer


def test_chunks_are_one_body(client: Client) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert client.exchange(head + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").endswith(b"\r\n\r\nabc")


def test_a_client_that_asks_first_is_told_to_continue(client: Client) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with client.connect() as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ab")
        assert read_response(connection)[2] == b"ab"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + b"a" * 1001, 413),
        (
            b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\r\n0\r\n",
            400,
        ),
    ],
)
def test_a_bad_request_is_answered_then_the_connection_closes(
    client: Client, request_bytes: bytes, status: int
) -> None:
    answer = client.exchange(request_bytes + GET % b"hello")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"\r\nconnection: close\r\n" in answer


def test_an_answer_to_a_body_too_long_survives_the_rest_of_the_body(client: Client) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"
    assert client.exchange(head + b"a" * 4_000_000).startswith(b"HTTP/1.1 413 ")


def test_a_failing_handler_is_a_500_and_a_log_line(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/fail", "/exit", "/odd"):
        status, headers, body = client.ask("GET", path, headers={"X-Request-Id": "r-1"})
        assert (status, body) == (500, b"Internal Server Error\n")
        assert headers["x-request-id"] == "r-1"
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [vars(record)["fields"]["path"] for record in errors] == ["/fail", "/exit", "/odd"]
    assert "the handler's fault" in caplog.text
    assert client.ask("GET", "/hello")[0] == 200


def test_a_request_has_an_id_that_the_handler_sees(client: Client) -> None:
    _, headers, body = client.ask("GET", "/id")
    assert body.decode() == headers["x-request-id"]
    _, headers, body = client.ask("GET", "/id", headers={"X-Request-Id": "given"})
    assert (headers["x-request-id"], body) == ("given", b"given")


def test_an_error_of_the_server_itself_costs_one_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Parser):
        def feed(self, data: bytes) -> None:
            assert b"boom" not in data
            super().feed(data)

    monkeypatch.setattr("servicekit.server.Parser", Broken)
    with serving(make_routes()) as client:
        assert client.exchange(GET % b"boom") == b""
        assert client.ask("GET", "/hello")[0] == 200
    assert "unhandled error of the server" in caplog.text


def test_clients_that_leave_early_are_harmless(client: Client) -> None:
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # close with a reset
    for data in (b"", b"GET /la", GET % b"large", GET % b"large" * 20, GET % b"fail"):
        for _ in range(10):
            with client.connect() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.sendall(data)
    until(lambda: gauge(client, "http_connections") == 1)
    until(lambda: gauge(client, "http_requests_in_flight") == 0)
    assert gauge(client, "http_connections") == 1
    assert gauge(client, "http_requests_in_flight") == 0


def test_handlers_run_in_parallel_up_to_the_number_of_workers() -> None:
    lock, now, most = threading.Lock(), 0, 0
    go_on = threading.Event()

    def slow(request: Request) -> Response:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        go_on.wait(20)
        time.sleep(0.05)
        with lock:
            now -= 1
        return Response()

    routes = Routes()
    routes.add("GET", "/slow", slow)
    with serving(routes, workers=3) as client:
        connections = [client.connect() for _ in range(12)]
        for connection in connections:
            connection.sendall(GET % b"slow")
        until(lambda: gauge(client, "http_requests_in_flight") == 12 and most == 3)
        assert client.ask("GET", "/health")[0] == 200  # not behind the busy workers
        assert gauge(client, "http_requests_in_flight") == 12
        go_on.set()
        for connection in connections:
            assert read_response(connection)[0] == 200
            connection.close()
    assert most == 3


def test_a_client_that_reads_slowly_holds_no_worker() -> None:
    with serving(make_routes(), workers=1) as client:
        slow = [client.connect() for _ in range(5)]
        for connection in slow:
            connection.sendall(GET % b"large")
        assert client.ask("GET", "/hello")[0] == 200
        for connection in slow:
            assert len(read_response(connection)[2]) == 8 << 20
            connection.close()


def test_a_slow_request_is_a_timeout() -> None:
    with serving(make_routes(), request_timeout=0.2) as client, client.connect() as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nHo")
        start = time.monotonic()
        while time.monotonic() - start < 5:  # a byte now and then does not help
            try:
                connection.sendall(b"o")
            except OSError:
                break
            time.sleep(0.05)
        assert time.monotonic() - start < 3
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_a_timeout() -> None:
    with serving(make_routes(), request_timeout=0.2) as client, client.connect() as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na")
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_a_pipelined_request_that_does_not_end_is_a_timeout() -> None:
    with serving(make_routes(), request_timeout=0.2) as client, client.connect() as connection:
        connection.sendall(GET % b"hello" + b"GET /hello HT")
        answers = read_all(connection)
    assert b"Hello" in answers
    assert b"HTTP/1.1 408 " in answers


def test_an_idle_connection_is_closed_without_an_answer() -> None:
    with serving(make_routes(), idle_timeout=0.2) as client, client.connect() as connection:
        connection.sendall(GET % b"hello")
        assert read_response(connection)[0] == 200
        assert read_all(connection) == b""


def test_a_client_that_never_reads_is_closed() -> None:
    with serving(make_routes(), write_timeout=0.2) as client, client.connect() as connection:
        connection.sendall(GET % b"large")
        time.sleep(1.5)
        assert len(read_all(connection)) < 8 << 20


def test_a_silent_client_makes_room_for_a_new_one() -> None:
    with serving(make_routes(), max_connections=3) as client:
        silent = [client.connect() for _ in range(3)]
        assert client.ask("GET", "/hello")[::2] == (200, b"Hello")
        assert read_all(silent[0]) == b""  # the one that had been silent for longest
        silent[2].sendall(GET % b"hello")
        assert read_response(silent[2])[2] == b"Hello"
        for each in silent:
            each.close()


def test_hundreds_of_silent_clients_do_not_starve_a_probe() -> None:
    with serving(make_routes(), max_connections=300) as client:
        silent = [client.connect() for _ in range(600)]
        for path in ("/health", "/ready", "/metrics", "/hello"):
            assert client.ask("GET", path)[0] == 200
        assert gauge(client, "http_connections") <= 301
        for each in silent:
            each.close()


@pytest.mark.parametrize("sent", [b"GET /hel", POST_HEAD + b"half", GET % b"large"])
def test_a_client_that_does_not_go_on_makes_room_after_a_while(sent: bytes) -> None:
    with serving(make_routes(), max_connections=2) as client:
        slow = [client.connect() for _ in range(2)]
        for each in slow:
            each.sendall(sent)
        time.sleep(1.2)
        assert client.ask("GET", "/hello")[0] == 200
        for each in slow:
            each.close()


def test_a_client_that_has_just_sent_something_makes_no_room() -> None:
    with serving(make_routes(), max_connections=1) as client, client.connect() as first:
        first.sendall(b"GET /hel")
        time.sleep(0.2)
        with client.connect() as second:
            second.sendall(CLOSE % b"hello")
            assert read_all(second).startswith(b"HTTP/1.1 503 ")
        first.sendall(b"lo HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_response(first)[2] == b"Hello"


def test_clients_that_fill_every_place_make_no_room_for_nobody() -> None:
    with serving(make_routes(), max_connections=4) as client:
        silent = [client.connect() for _ in range(4)]
        time.sleep(0.2)
        for each in silent:
            each.sendall(GET % b"hello")
            assert read_response(each)[2] == b"Hello"
            each.close()


def test_when_all_wait_for_handlers_a_probe_is_answered_and_others_get_a_503() -> None:
    go_on = threading.Event()
    routes = make_routes()
    routes.add("GET", "/wait", lambda request: Response.text(str(go_on.wait(10))))
    with serving(routes, max_connections=4, workers=2) as client:
        waiting = [client.connect() for _ in range(4)]
        for each in waiting:
            each.sendall(GET % b"wait")
        until(lambda: gauge(client, "http_requests_in_flight") >= 4)
        assert client.ask("GET", "/health")[0] == 200
        status, headers, _ = client.ask("GET", "/hello")
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        go_on.set()
        for each in waiting:
            assert read_response(each)[2] == b"True"
            each.close()
        assert client.ask("GET", "/hello")[0] == 200


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"POST /none", 404), (b"PUT /echo", 405), (b"POST /closed", 401), (b"POST /health", 405)],
)
@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 900\r\n\r\n",
        b"Content-Length: 900\r\n\r\nsome",
        b"Content-Length: 900\r\nExpect: 100-continue\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_a_refusal_does_not_wait_for_the_body(line: bytes, status: int, body: bytes) -> None:
    with serving(make_routes()) as client, client.connect() as connection:
        connection.sendall(line + b" HTTP/1.1\r\nHost: x\r\n" + body)
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close\r\n" in answer


def test_a_check_is_asked_once_and_may_let_a_request_pass() -> None:
    asked: list[bytes] = []

    def check(request: Request) -> Response | None:
        asked.append(request.body)
        return None if "authorization" in request.headers else Response.error(401)

    routes = Routes()
    routes.add("POST", "/in", echo, check=check)
    with serving(routes) as client:
        head = b"POST /in HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nContent-Length: 2\r\n\r\n"
        with client.connect() as connection:
            connection.sendall(head)
            time.sleep(0.1)
            connection.sendall(b"ab")
            assert read_response(connection)[2] == b"ab"
            connection.sendall(head + b"cd")
            assert read_response(connection)[2] == b"cd"
        assert asked == [b"", b"cd"]
        assert client.ask("POST", "/in", b"ef")[0] == 401
        assert client.ask("POST", "/in", b"ef", {"Authorization": "x"})[2] == b"ef"


def test_bodies_that_do_not_end_are_bounded_together() -> None:
    half = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 90_000
    with serving(make_routes(), max_buffered_bytes=1_000_000) as client:
        connections = [client.connect() for _ in range(40)]
        for each in connections:
            with suppress(OSError):
                each.sendall(half)
        until(lambda: len([each for each in connections if is_answered(each)]) >= 25)
        time.sleep(0.3)  # no more than these
        refused = [each for each in connections if is_answered(each)]
        assert 25 <= len(refused) <= 30
        assert all(read_all(each).startswith(b"HTTP/1.1 503 ") for each in refused)
        assert client.ask("GET", "/hello")[0] == 200
        time.sleep(1)  # what has waited for a second makes room
        assert client.ask("POST", "/echo", b"y" * 200_000)[2] == b"y" * 200_000
        for each in connections:
            each.close()


def test_bodies_that_wait_for_a_worker_count_too() -> None:
    go_on = threading.Event()
    routes = Routes()
    routes.add("POST", "/wait", lambda request: Response.text(str(go_on.wait(10))))
    body = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    with serving(routes, max_buffered_bytes=1, max_body_bytes=600_000, workers=1) as client:
        connections = [client.connect() for _ in range(2)]
        for each in connections:
            each.sendall(body)
        until(lambda: gauge(client, "http_requests_in_flight") == 2)
        with client.connect() as third:
            with suppress(OSError):
                third.sendall(body)
            assert read_all(third).startswith(b"HTTP/1.1 503 ")
        go_on.set()
        for each in connections:
            assert read_response(each)[2] == b"True"
            each.close()
        assert client.exchange(body).endswith(b"True")  # all of it is given back


def is_answered(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


FEW_FILES = """
import resource, sys
from servicekit import lifecycle

def start(life):
    from servicekit import logs
    from servicekit.routes import Routes
    from servicekit.server import Server
    from servicekit.settings import Settings

    logs.configure("info")
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
    return Server(Routes(), Settings.from_environment(), life).serve()

sys.exit(lifecycle.run(start))
"""


def test_a_service_out_of_descriptors_closes_silent_clients() -> None:
    with started(FEW_FILES) as service:
        silent = [service.connect() for _ in range(40)]
        assert service.ask("GET", "/health")[0] == 200
        for client in silent:
            client.close()


def test_a_service_out_of_descriptors_recovers() -> None:
    with started(FEW_FILES) as service:
        clients = []
        for _ in range(40):
            clients.append(service.connect())
            clients[-1].sendall(b"GET /")
        service.wait_for("cannot accept: [Errno 24] Too many open files")
        time.sleep(0.6)
        assert len(service.lines()) < 10  # it does not try all the time
        for client in clients:
            client.close()
        assert service.ask("GET", "/health")[0] == 200


def test_hundreds_of_slow_clients_do_not_slow_the_others() -> None:
    with serving(make_routes(), max_connections=1000) as client:
        slow = [client.connect() for _ in range(500)]
        for connection in slow:
            connection.sendall(b"GET /")
        for _ in range(50):
            assert client.ask("GET", "/hello")[0] == 200
        assert gauge(client, "http_connections") >= 501
        for connection in slow:
            connection.close()


# In a process of its own: what else this one has open, and when it is closed, depends on the other
# tests and on the load of the machine.
KIT = """
from servicekit import lifecycle, logs
from servicekit.response import Response
from servicekit.routes import Routes
from servicekit.server import Server
from servicekit.settings import Settings


def start(life):
    routes = Routes()
    routes.add("GET", "/hello", lambda request: Response.text("Hello"))
    settings = Settings.from_environment()
    logs.configure(settings.log_level)
    return Server(routes, settings, life).serve()


raise SystemExit(lifecycle.run(start))
"""


def test_memory_and_descriptors_stay_flat_over_many_requests() -> None:
    def ask_many(times: int) -> None:
        with server.connect() as connection:
            for _ in range(times):
                connection.sendall(GET % b"hello" * 100)
                answers = b""
                while answers.count(b"Hello") < 100:
                    answers += connection.recv(65536)

    with started(KIT) as server:
        process = Path("/proc", str(server.process.pid))
        idle = descriptors(process)
        ask_many(20)
        server.ask("GET", "/hello")
        memory = resident_bytes(process)
        ask_many(200)
        for _ in range(50):
            server.ask("GET", "/hello")
        assert resident_bytes(process) - memory < 2 << 20
        # The server closes its ends of connections soon after its clients, not at once.
        until(lambda: descriptors(process) == idle)
        assert descriptors(process) == idle


def descriptors(process: Path) -> int:
    return len(os.listdir(process / "fd"))


def resident_bytes(process: Path) -> int:
    pages = int((process / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
