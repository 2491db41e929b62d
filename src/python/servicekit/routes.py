"""Routes: which handler answers a method and a path."""

from collections.abc import Callable
from dataclasses import dataclass

from servicekit.request import Request
from servicekit.response import Response

Handler = Callable[[Request], Response]

ANY_PATH = "*"


@dataclass(frozen=True, slots=True)
class Route:
    """An `inline` handler runs in the server's own thread, so it must never wait or compute."""

    handler: Handler
    inline: bool = False


class Routes:
    """Paths match exactly, as sent; `ANY_PATH` takes what no other path does.

    >>> routes = Routes()
    >>> routes.add("GET", "/greeting", lambda request: Response.text("Hello"))
    """

    def __init__(self) -> None:
        self._paths: dict[str, dict[str, Route]] = {}

    def add(self, method: str, path: str, handler: Handler, *, inline: bool = False) -> None:
        """GET also answers HEAD. Raises ValueError for a second handler of the same place."""
        methods = self._paths.setdefault(path, {})
        for each in (method, "HEAD") if method == "GET" else (method,):
            if each in methods:
                raise ValueError(f"two handlers for {each} {path}")
            methods[each] = Route(handler, inline)

    def find(self, method: str, path: str) -> Route:
        """The route, or one that answers 404, or 405 with Allow (RFC 9110 section 15.5.6)."""
        methods = self._paths.get(path) or self._paths.get(ANY_PATH)
        if methods is None:
            return _NOT_FOUND
        return methods.get(method) or _not_allowed(", ".join(sorted(methods)))


_NOT_FOUND = Route(lambda request: Response.error(404), inline=True)


def _not_allowed(allow: str) -> Route:
    return Route(lambda request: Response.error(405, allow=allow), inline=True)
