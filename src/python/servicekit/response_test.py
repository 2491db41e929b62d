"""How a response goes on the wire."""

import pytest

from servicekit import response as responses
from servicekit.response import Response


def test_a_response_states_its_type_length_and_date() -> None:
    head, _, body = Response.text("Grüße", 201).encode(request_id="r1").partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    assert status == b"HTTP/1.1 201 Created"
    assert b"content-type: text/plain; charset=utf-8" in fields
    assert b"content-length: 7" in fields
    assert b"x-request-id: r1" in fields
    assert any(field.startswith(b"date: ") for field in fields)
    assert body == "Grüße".encode()


def test_the_date_is_in_the_format_of_http() -> None:
    assert responses._date(784111777) == "date: Sun, 06 Nov 1994 08:49:37 GMT"


def test_a_response_to_head_has_the_length_but_no_body() -> None:
    message = Response.json({"a": 1}).encode(head=True)
    assert b"content-length: 8\r\n" in message
    assert message.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_no_length(status: int) -> None:
    message = Response(status, b"ignored").encode()
    assert b"content-length" not in message
    assert message.endswith(b"\r\n\r\n")


def test_headers_are_added() -> None:
    assert b"\r\nretry-after: 1\r\n" in Response.error(503, retry_after="1").encode()


@pytest.mark.parametrize("header", [("a", "b\r\nc: d"), ("a\n", "b"), ("a b", "c"), ("", "a")])
def test_a_header_cannot_smuggle_another(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="not a header"):
        Response(headers=(header,)).encode()
    with pytest.raises(ValueError, match="not a header"):
        Response(content_type="text/plain\r\nc: d").encode()
