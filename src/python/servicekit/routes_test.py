"""Which handler answers."""

import pytest

from servicekit.request import Request
from servicekit.response import Response
from servicekit.routes import ANY_PATH, Routes


def answer(routes: Routes, method: str, path: str) -> Response:
    return routes.find(method, path).handler(Request(method, path, "", {}, True))


@pytest.fixture(name="routes")
def make_routes() -> Routes:
    routes = Routes()
    routes.add("GET", "/a", lambda request: Response.text("got"))
    routes.add("POST", "/a", lambda request: Response.text("posted"))
    return routes


def test_the_method_and_the_path_choose_the_handler(routes: Routes) -> None:
    assert answer(routes, "GET", "/a").body == b"got"
    assert answer(routes, "POST", "/a").body == b"posted"


def test_get_also_answers_head(routes: Routes) -> None:
    assert answer(routes, "HEAD", "/a").body == b"got"


def test_an_unknown_path_is_not_found(routes: Routes) -> None:
    assert answer(routes, "GET", "/a/").status == 404


def test_an_unknown_method_is_told_the_allowed_ones(routes: Routes) -> None:
    response = answer(routes, "BREW", "/a")
    assert response.status == 405
    assert response.headers == (("allow", "GET, HEAD, POST"),)


def test_any_path_takes_what_no_other_path_does(routes: Routes) -> None:
    routes.add("GET", ANY_PATH, lambda request: Response.text("any"))
    assert answer(routes, "GET", "/z").body == b"any"
    assert answer(routes, "GET", "/a").body == b"got"
    assert answer(routes, "DELETE", "/a").status == 405


def test_a_place_has_one_handler(routes: Routes) -> None:
    with pytest.raises(ValueError, match="two handlers for POST /a"):
        routes.add("POST", "/a", lambda request: Response())
