"""The parser under input that nobody would write by hand, the same at each run.

`fuzz_corpus.txt` holds the inputs that once found something; what each found is written above it.
To search further: FUZZ_INPUTS=1000000 FUZZ_SEED=7 pytest servicekit/request_fuzz_test.py
"""

import ast
import os
import random
from pathlib import Path

import pytest

from servicekit.request import Parser, Request, RequestError
from servicekit.routes import Routes
from servicekit.testing import serving

SEED = int(os.environ.get("FUZZ_SEED", "5"))
INPUTS = int(os.environ.get("FUZZ_INPUTS", "6000"))
MAX_HEADER, MAX_BODY = 256, 64

CORPUS = [
    ast.literal_eval(line)
    for line in Path(__file__).with_name("fuzz_corpus.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
CHUNKS = b"3\r\nabc\r\n2;a=b\r\nde\r\n0\r\nA: b\r\n\r\n"
VALID = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a?b=c HTTP/1.0\r\n\r\n",
    b"\r\nHEAD http://x/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 64\r\nExpect: 100-continue\r\n\r\n" + b"a" * 64,
    b"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
)
PIECES = (
    *(b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b" ", b"\t", b"\x00", b":", b",", b";", b"\xff"),
    *(b"0", b"1", b"64", b"65", b"ffffffff", b"-1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"*"),
    *(b"Host: x\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Expect: 100-continue\r\n", b" folded\r\n", b"A" * 250, b"A: b\r\n" * 101, b"0\r\n\r\n"),
)

Outcome = tuple[list[Request], int | None]


def mutate(rng: random.Random) -> bytes:
    """One to three valid requests in a row, damaged in up to four places."""
    data = bytearray(b"".join(rng.choices(VALID, k=rng.randint(1, 3))))
    for _ in range(rng.randint(0, 4)):
        start = rng.randint(0, len(data))
        end = min(len(data), start + rng.choice((0, 0, 1, 1, 2, 10)))
        choice = rng.randrange(4)
        if choice == 0:
            data[start:end] = rng.choice(PIECES)
        elif choice == 1:
            data[start:end] = bytes(rng.randrange(256) for _ in range(end - start))
        elif choice == 2:
            data[start:end] = b""
        else:
            data[start:start] = data[rng.randint(0, start) : end]
    return bytes(data)


def outcome(pieces: list[bytes], max_header: int = MAX_HEADER) -> Outcome:
    """The requests, then the status of the refusal, or None when the parser waits for more."""
    parser = Parser(max_header, MAX_BODY)
    requests: list[Request] = []
    for piece in pieces:
        parser.feed(piece)
        try:
            while request := parser.next():
                requests.append(request)
        except RequestError as error:
            return requests, error.status
    return requests, None


def split(data: bytes, rng: random.Random) -> list[bytes]:
    cuts = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(1, 8)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def check(data: bytes, rng: random.Random) -> None:
    requests, status = outcome([data])
    one_by_one = [data[n : n + 1] for n in range(len(data))]
    assert outcome(split(data, rng)) == (requests, status), "depends on how the bytes are cut"
    assert outcome(one_by_one) == (requests, status), "depends on how the bytes are cut"
    for request in requests:
        assert len(request.body) <= MAX_BODY
        head = [request.method, request.path, request.query, *request.headers.values()]
        assert not any(ord(char) < 32 and char != "\t" for text in head for char in text)
        if request.headers.pop("transfer-encoding", ""):
            request.headers["content-length"] = str(len(request.body))
        sent_on = outcome([serialise(request)], 2 * MAX_HEADER)
        assert sent_on == ([request], None), "changes when sent on"


def serialise(request: Request) -> bytes:
    """The request as a proxy would send it on."""
    query = f"?{request.query}" if request.query else ""
    version = "1.1" if request.keep_alive else "1.0"
    fields = request.headers
    lines = [f"{request.method} {request.path}{query} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1") + request.body


def test_any_input_is_parsed_the_same_however_it_is_cut() -> None:
    rng = random.Random(SEED)
    for _ in range(INPUTS):
        data = mutate(rng)
        try:
            check(data, rng)
        except Exception as error:
            raise AssertionError(f"{error}\n{data!r}") from error


@pytest.mark.parametrize("data", CORPUS)
def test_inputs_that_once_found_something_find_nothing(data: bytes) -> None:
    check(data, random.Random(SEED))


def test_a_server_survives_all_of_it(caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(SEED)
    with serving(Routes(), max_header_bytes=MAX_HEADER, max_body_bytes=MAX_BODY) as client:
        for data in (*CORPUS, *(mutate(rng) for _ in range(500))):
            requests, status = outcome([data])
            answers = client.exchange(data)
            if status is not None and all(request.keep_alive for request in requests):
                assert b"HTTP/1.1 %d " % status in answers, data
        assert client.ask("GET", "/health")[0] == 200
        assert b"http_connections 1\n" in client.ask("GET", "/metrics")[2]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
