"""Clients that are slow, broken or hostile: they are refused, and other clients do not notice."""

from __future__ import annotations

import ast
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from images import load, wire
from images.processes import service_process
from images.services import ask
from images.waiting import eventually
from inseam.testing import Container

SEED = 5
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    """The inputs that once found something in the parser."""
    lines = Path("src/python/servicekit/fuzz_corpus.txt").read_text().splitlines()
    return [ast.literal_eval(line) for line in lines if line and not line.startswith("#")]


def errors(container: Container) -> list[str]:
    return [line for line in container.logs().splitlines() if '"level":"error"' in line]


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"GET\r\n\r\n", [400]),
        (b"GET / HTTP/1.1 x\r\nHost: x\r\n\r\n", [400]),
        (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),  # a TLS client
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", [505]),
        (b"GET / HTTP/1.1\r\n\r\n", [400]),  # no Host
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", [400]),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", [400]),  # a folded line
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [414]),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n", [431]),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 101 + b"\r\n", [431]),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", [400]),
        (HEAD + b"Content-Length: -1\r\n\r\n", [400]),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", [413]),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", [501]),
        (CHUNKED + b"5\r\nabc\r\n0\r\n\r\n", [400]),  # shorter than it says
        (CHUNKED + b"2\r\nabcdef\r\n0\r\n\r\n", [400]),  # longer
        (CHUNKED + b"xyz\r\n", [400]),
        (CHUNKED + b"fffffffff\r\n", [400]),
        (CHUNKED + b"ffffff\r\n", [413]),
        (CHUNKED + b"1;" + b"a" * 1000 + b"\r\n", [400]),
        (wire.GET * 3, [200, 200, 200]),  # pipelining
        (wire.GET + HEAD + b"Content-Length: 2\r\n\r\nab" + wire.GET, [200, 405, 200]),
        (wire.GET + b"garbage\r\n\r\n" + wire.GET, [200, 400]),
        (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + wire.GET, [405, 200]),
        (b"", []),
        (HEAD, []),  # gone before the end
        (HEAD + b"Content-Length: 5\r\n\r\nab", [405]),  # refused before its body
    ],
)
def test_what_is_not_http_is_refused_and_what_is_answered(
    containers: dict[str, Container], data: bytes, expected: list[int]
) -> None:
    assert wire.exchange(containers["service"], data) == expected


@pytest.mark.parametrize("name", ["service", "catalog", "reports"])
def test_damaged_requests_do_no_damage(
    containers: dict[str, Container], corpus: list[bytes], name: str
) -> None:
    container = containers[name]
    before = errors(container)
    rng = random.Random(SEED)
    for data in (*corpus, *(damaged(rng) for _ in range(300))):
        assert set(wire.exchange(container, data)) <= REASONABLE, data
    assert ask(container, "/health").status == 200
    # uvicorn logs an error where a request that it has begun to answer turns out to be malformed.
    assert name == "catalog" or errors(container) == before


REASONABLE = {100, 200, 307, 400, 404, 405, 408, 413, 414, 417, 422, 431, 501, 505}
VALID = (
    wire.GET,
    b"GET /a?b=c HTTP/1.0\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    HEAD + b"Content-Length: 5\r\n\r\nabcde",
    HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde",
    CHUNKED + b"3\r\nabc\r\n2;a=b\r\nde\r\n0\r\nA: b\r\n\r\n",
)
PIECES = (
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b"\x00", b":", b",", b";", b"\xff"),
    *(b"0", b"1", b"ffffffff", b"-1", b"HTTP/1.0", b"HTTP/2.0", b"*", b"%00", b"/../"),
    *(b"Host: x\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b" folded\r\n", b"A" * 20_000, b"A: b\r\n" * 101, b"0\r\n\r\n"),
)


def damaged(rng: random.Random) -> bytes:
    """One to three valid requests in a row, damaged in up to four places."""
    data = bytearray(b"".join(rng.choices(VALID, k=rng.randint(1, 3))))
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(data))
        end = min(len(data), start + rng.choice((0, 0, 1, 1, 2, 10)))
        data[start:end] = rng.choice((rng.choice(PIECES), rng.randbytes(end - start), b""))
    return bytes(data)


def test_early_disconnects_leave_nothing_behind(containers: dict[str, Container]) -> None:
    container = containers["service"]
    rng = random.Random(SEED)
    for number in range(300):
        data = rng.choice(VALID) * rng.randint(1, 20)
        with wire.connect(container) as connection:
            connection.sendall(data[: rng.randint(1, len(data))])
            if number % 2:  # a reset instead of an end of stream
                linger = b"\1\0\0\0\0\0\0\0"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert ask(container, "/health").status == 200
    eventually(lambda: wire.metric(container, "http_connections"), 1)


def test_slow_clients_hold_up_nobody_and_are_ended(start_image: Callable[..., Container]) -> None:
    """500 connections that send a byte now and then, and never a whole request."""
    slow_clients, requests = 500, 3000
    container = wire.start_on_loopback(start_image, "service", REQUEST_TIMEOUT="20")
    (port,) = container.ports
    slow = [wire.connect(container) for _ in range(slow_clients)]
    try:
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        eventually(lambda: wire.metric(container, "http_connections"), slow_clients + 1)
        turns = 0

        def turn(outcome: load.Outcome) -> bool:
            nonlocal turns
            turns += 1
            if turns % 10 == 0:
                slow[turns // 10 % slow_clients].sendall(b"x")
            return outcome.answered < requests

        outcome = load.run(port, 20, wire.GET, turn)
        assert (outcome.lost, outcome.refused) == ([], 0)
        assert outcome.answered >= requests
        assert wire.metric(container, "http_connections") >= slow_clients  # all that time
        assert {tuple(wire.read_answers(connection, 1)) for connection in slow} == {(408,)}
    finally:
        for connection in slow:
            connection.close()
    eventually(lambda: wire.metric(container, "http_connections"), 1)


def test_memory_and_descriptors_are_flat_over_many_requests(
    start_image: Callable[..., Container]
) -> None:
    connections, each = 10_000, 10
    container = wire.start_on_loopback(start_image, "service")
    many_requests(container, connections // 5, each)
    eventually(lambda: wire.metric(container, "http_connections"), 1)
    before = service_process(container)
    many_requests(container, connections, each)
    eventually(lambda: wire.metric(container, "http_connections"), 1)
    eventually(lambda: service_process(container).descriptors, before.descriptors)
    after = service_process(container)
    print(f"{connections * each} requests: {before} then {after}")
    assert after.threads == before.threads
    assert after.rss - before.rss <= 512 * 1024
    assert wire.metric(container, "http_requests_total") >= connections * each


def many_requests(container: Container, connections: int, each: int) -> None:
    """So many connections one after another, with so many pipelined requests on each."""
    for _ in range(connections):
        with wire.connect(container) as connection:
            connection.sendall(wire.GET * each)
            assert wire.read_answers(connection, each) == [200] * each
