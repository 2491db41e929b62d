"""Applications that the tests serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

SECONDS = 0.002  # that a request takes
BODY = b"ok"


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers each request after a while."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(SECONDS)
    headers = [(b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answers each request after a while."""
    time.sleep(SECONDS)
    start_response("200 OK", [("Content-Length", str(len(BODY)))])
    return [BODY]


def make_asgi() -> Callable[..., Any]:
    """A factory."""
    return asgi


def make_wsgi() -> Callable[..., Any]:
    """A factory."""
    return wsgi
