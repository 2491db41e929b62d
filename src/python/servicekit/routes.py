"""Routes: which handler answers a method and a path."""

from collections.abc import Callable
from dataclasses import dataclass

from servicekit.request import Request
from servicekit.response import Response

Handler = Callable[[Request], Response]
Check = Callable[[Request], Response | None]

ANY_PATH = "*"


@dataclass(frozen=True, slots=True)
class Route:
    """An `inline` handler runs in the server's own thread, so it must never wait or compute.

    The same is true of a `check`, which sees a request before its body is read; what it returns is
    the answer, None lets the body come.
    """

    handler: Handler
    inline: bool = False
    check: Check | None = None


class Routes:
    """Paths match exactly, as sent; `ANY_PATH` takes what no other path does.

    >>> routes = Routes()
    >>> routes.add("GET", "/greeting", lambda request: Response.text("Hello"))
    """

    def __init__(self) -> None:
        self._paths: dict[str, dict[str, Route]] = {}

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        *,
        inline: bool = False,
        check: Check | None = None,
    ) -> None:
        """GET also answers HEAD. Raises ValueError for a second handler of the same place.

        check: for what is decided by the head alone, such as who may ask (401, 403).
        """
        methods = self._paths.setdefault(path, {})
        for each in (method, "HEAD") if method == "GET" else (method,):
            if each in methods:
                raise ValueError(f"two handlers for {each} {path}")
            methods[each] = Route(handler, inline, check)

    def find(self, method: str, path: str) -> Route:
        """The route, or one that answers 404, or 405 with Allow (RFC 9110 section 15.5.6)."""
        methods = self._paths.get(path) or self._paths.get(ANY_PATH)
        if methods is None:
            return _NOT_FOUND
        return methods.get(method) or _not_allowed(", ".join(sorted(methods)))


def _refusal(answer: Handler) -> Route:
    return Route(answer, inline=True, check=answer)


_NOT_FOUND = _refusal(lambda request: Response.error(404))


def _not_allowed(allow: str) -> Route:
    return _refusal(lambda request: Response.error(405, allow=allow))
