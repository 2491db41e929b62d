"""What the parser takes for a request, and what it refuses."""

import pytest

from servicekit.request import Parser, Request, RequestError


def parse(data: bytes, max_header: int = 1024, max_body: int = 100) -> list[Request]:
    parser = Parser(max_header, max_body)
    parser.feed(data)
    requests = []
    while request := parser.next():
        requests.append(request)
    return requests


def refused(data: bytes, max_header: int = 1024, max_body: int = 100) -> int:
    with pytest.raises(RequestError) as error:
        parse(data, max_header, max_body)
    return error.value.status


GET = b"GET /a/b?c=d&e=%20f HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


def test_a_request_has_its_parts() -> None:
    (request,) = parse(b"GET /a/b?c=d&e=%20f HTTP/1.1\r\nHost: x\r\nX-Odd:  y \t\r\n\r\n")
    assert (request.method, request.path, request.query) == ("GET", "/a/b", "c=d&e=%20f")
    assert request.headers == {"host": "x", "x-odd": "y"}
    assert request.parameter("e") == " f"
    assert request.parameter("z", "none") == "none"
    assert request.keep_alive


def test_a_header_sent_twice_has_both_values() -> None:
    (request,) = parse(b"GET / HTTP/1.1\r\nHost: x\r\nAccept: a\r\naccept: b\r\n\r\n")
    assert request.headers["accept"] == "a, b"


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: te, close\r\n\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\n\r\n", False),
    ],
)
def test_the_connection_header_says_whether_more_follow(head: bytes, keep_alive: bool) -> None:
    assert parse(head)[0].keep_alive is keep_alive


def test_bodies_and_pipelined_requests_follow_each_other() -> None:
    first = POST + b"Content-Length: 3\r\n\r\nabc"
    second = POST + b"Transfer-Encoding: Chunked\r\n\r\n2;x=y\r\nde\r\n1\r\nf\r\n0\r\nT: u\r\n\r\n"
    assert [each.body for each in parse(first + second + GET)] == [b"abc", b"def", b""]


def test_one_empty_line_before_a_request_is_ignored() -> None:
    assert len(parse(b"\r\n" + GET + b"\r\n" + GET)) == 2


@pytest.mark.parametrize("target", [b"http://x/a", b"HTTP://x:80/a"])
def test_a_target_in_absolute_form_is_a_path(target: bytes) -> None:
    assert parse(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")[0].path == "/a"


def test_a_request_that_is_not_whole_is_awaited() -> None:
    for end in range(len(GET)):
        assert parse(GET[:end]) == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        b"GET / http/1.1\r\nHost: x\r\n\r\n",
        b"GET a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GE(T / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: +1\r\n\r\n",
        POST + b"Content-Length: 1_0\r\n\r\n",
        POST + b"Content-Length: \xb2\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_an_ambiguous_or_malformed_head_is_a_bad_request(head: bytes) -> None:
    assert refused(head) == 400


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"0x1\r\na\r\n",
        b"1 \r\na\r\n",
        b"1\na\r\n",
        b"2\r\nabc\r\n",
        b"3\r\na\r\n0\r\n\r\n",
        b"000000001\r\na\r\n",
        b"1;" + b"e" * 300,
        b"0\r\nbad trailer\r\n",
    ],
)
def test_chunks_that_lie_are_a_bad_request(chunks: bytes) -> None:
    assert refused(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks) == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (POST + b"Content-Length: 101\r\n\r\n", 413),
        (POST + b"Content-Length: 999999999999999999\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n64\r\n" + b"a" * 100 + b"\r\n1\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1024, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 1024 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A:\r\n" * 100 + b"\r\n", 431),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 300, 431),
        (b"GET /" + b"a" * 1024, 414),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (POST + b"Content-Length: 1\r\nExpect: a miracle\r\n\r\n", 417),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    ],
)
def test_what_goes_past_a_limit_has_a_status_of_its_own(data: bytes, status: int) -> None:
    assert refused(data) == status


def test_a_head_of_many_spaces_is_parsed_in_linear_time() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA:" + b" " * 1_000_000 + b"\x00\r\n\r\n"
    assert refused(head, max_header=2_000_000) == 400
