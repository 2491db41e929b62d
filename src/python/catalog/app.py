"""The catalog's HTTP interface: add a book, find it again by its ISBN, list them all."""

import logging
from dataclasses import dataclass
from threading import Lock
from typing import Annotated

from fastapi import FastAPI, HTTPException, Path, Query
from pydantic import BaseModel, Field

from servicekit import asgi, logs
from servicekit.lifecycle import Lifecycle
from servicekit.settings import Range, Settings

Isbn = Annotated[str, Field(pattern=r"^[0-9]{13}$")]

_log = logging.getLogger("catalog")


@dataclass(frozen=True, kw_only=True)
class CatalogSettings(Settings):
    max_books: Annotated[int, Range(1, 10_000_000)] = 10_000


class Book(BaseModel):
    isbn: Isbn
    title: Annotated[str, Field(min_length=1, max_length=500)]
    year: Annotated[int, Field(ge=1000, le=9999)]


def create_app(max_books: int) -> FastAPI:
    """An application whose books live as long as it does."""
    app = FastAPI(title="catalog", version="1", openapi_url="/openapi.json")
    books: dict[str, Book] = {}
    lock = Lock()

    @app.get("/")
    def greet() -> str:
        return "Hello"

    @app.get("/books")
    def list_books(
        before: Annotated[int, Query()] = 10_000, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> list[Book]:
        with lock:
            found = [book for book in books.values() if book.year < before]
        return sorted(found, key=lambda book: (book.year, book.title))[:limit]

    @app.get("/books/{isbn}")
    def get_book(isbn: Annotated[str, Path(pattern=r"^[0-9]{13}$")]) -> Book:
        with lock:
            book = books.get(isbn)
        if book is None:
            raise HTTPException(404, "no such book")
        return book

    @app.post("/books", status_code=201)
    def add_book(book: Book) -> Book:
        with lock:
            if book.isbn in books:
                raise HTTPException(409, "the catalog has this book")
            if len(books) >= max_books:
                raise HTTPException(507, "the catalog is full")
            books[book.isbn] = book
        _log.info("book added", extra={"fields": {"isbn": book.isbn}})
        return book

    return app


def serve(lifecycle: Lifecycle) -> int:
    settings = CatalogSettings.from_environment()
    logs.configure(settings.log_level)
    return asgi.serve(create_app(settings.max_books), settings, lifecycle)
