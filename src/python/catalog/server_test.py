"""The catalog service as a process."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from catalog import healthcheck, server
from servicekit.testing import Child, child, started


@pytest.fixture(scope="module")
def service() -> Iterator[Child]:
    with started(server, MAX_BOOKS="3") as service:
        yield service


def add(service: Child, **book: Any) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    status, _, body = service.ask("POST", "/books", json.dumps(book).encode(), headers)
    return status, json.loads(body)


def test_a_book_that_is_added_is_found(service: Child) -> None:
    book = {"isbn": "9780131103627", "title": "The C Programming Language", "year": 1988}
    assert add(service, **book) == (201, book)
    status, _, body = service.ask("GET", "/books/9780131103627")
    assert (status, json.loads(body)) == (200, book)
    assert add(service, **book)[0] == 409


def test_books_are_listed_by_year(service: Child) -> None:
    add(service, isbn="9780201038040", title="Fundamental Algorithms", year=1968)
    add(service, isbn="9780262510875", title="SICP", year=1996)
    _, _, body = service.ask("GET", "/books?before=1990")
    assert [book["year"] for book in json.loads(body)] == [1968, 1988]


def test_a_full_catalog_says_so(service: Child) -> None:
    assert add(service, isbn="9780000000002", title="One more", year=2000)[0] == 507


def test_a_malformed_book_is_refused_with_the_field(service: Child) -> None:
    status, answer = add(service, isbn="1", title="", year=1)
    assert status == 422
    assert {error["loc"][1] for error in answer["detail"]} == {"isbn", "title", "year"}


def test_an_unknown_book_is_not_found(service: Child) -> None:
    assert service.ask("GET", "/books/9780000000009")[0] == 404


def test_the_interface_is_described(service: Child) -> None:
    _, _, body = service.ask("GET", "/openapi.json")
    assert "/books/{isbn}" in json.loads(body)["paths"]


def test_it_is_healthy_and_stops_with_zero() -> None:
    with started(server) as service:
        assert healthcheck.main(["--port", str(service.port)]) == 0
        assert service.stop() == 0


def test_a_wrong_setting_ends_with_two() -> None:
    with child(server, MAX_BOOKS="none") as service:
        assert service.process.wait(20) == 2
        assert service.messages()[0].startswith("MAX_BOOKS must be a whole number")
