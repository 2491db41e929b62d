"""The services answer."""

from __future__ import annotations

import json

from images.services import ask
from inseam.testing import Container


def test_each_has_the_routes_of_the_kit(container: Container) -> None:
    assert ask(container, "/health").body == b"OK"
    assert ask(container, "/ready").body == b"OK"
    metrics = ask(container, "/metrics")
    assert metrics.status == 200
    assert b"# TYPE http_requests_total counter\n" in metrics.body


def test_the_stdlib_service_greets(containers: dict[str, Container]) -> None:
    answer = ask(containers["service"], "/any/path?x=y")
    assert (answer.status, answer.body) == (200, b"Hello")
    assert ask(containers["service"], "/", b"x").status == 405


def test_a_book_that_is_added_is_found(containers: dict[str, Container]) -> None:
    catalog = containers["catalog"]
    book = {"isbn": "9780131103627", "title": "The C Programming Language", "year": 1988}
    added = ask(catalog, "/books", json.dumps(book).encode(), "application/json")
    assert (added.status, added.json()) == (201, book)
    assert ask(catalog, f"/books/{book['isbn']}").json() == book
    assert ask(catalog, "/books/9780000000009").status == 404


def test_a_table_becomes_a_report_that_is_kept_as_parquet(containers: dict[str, Container]) -> None:
    reports = containers["reports"]
    table = b"city,kwh\n" + b"".join(
        b"%s,%d\n" % ((b"Oslo", b"Bergen")[n % 2], n) for n in range(100)
    )
    answer = ask(reports, "/reports?by=city", table, "text/csv")
    assert [(row["city"], row["count"]) for row in answer.json()] == [("Bergen", 50), ("Oslo", 50)]
    latest = ask(reports, "/reports/latest")
    assert latest.content_type == "application/vnd.apache.parquet"
    assert latest.body[:4] == latest.body[-4:] == b"PAR1"


def test_logs_are_json_lines(container: Container) -> None:
    lines = [json.loads(line) for line in container.logs().splitlines()]
    assert any(line["message"] == "listening" for line in lines)
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
