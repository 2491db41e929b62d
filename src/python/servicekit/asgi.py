"""An ASGI application under uvicorn, with the kit's settings, logs, routes and lifecycle."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from functools import partial
from socket import socket
from time import monotonic
from typing import Any

import uvicorn

from servicekit import logs
from servicekit.asgi_connections import connections
from servicekit.lifecycle import Lifecycle, StartupError
from servicekit.listener import SETTLE, bind, refuse_new
from servicekit.metrics import CONTENT_TYPE, Metrics
from servicekit.response import Response
from servicekit.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_QUIET = 1.0  # seconds for clients to use the connections that they keep alive once more
_TICK = 0.02

_log = logging.getLogger("servicekit")


def serve(app: App, settings: Settings, lifecycle: Lifecycle) -> int:
    """Serves `app` until the lifecycle stops, then drains; returns the exit code.

    uvicorn reads the requests, of connections as `asgi_connections` has them; `workers` and
    `write_timeout` have no equivalent there.
    """
    config = uvicorn.Config(
        Application(app, settings, lifecycle),
        log_config=None,
        access_log=False,
        server_header=False,
        http=connections(settings),
        loop="asyncio",
        h11_max_incomplete_event_size=settings.max_header_bytes,
        timeout_keep_alive=int(settings.idle_timeout),
    )
    return asyncio.run(_serve(config, settings, lifecycle))


async def _serve(config: uvicorn.Config, settings: Settings, lifecycle: Lifecycle) -> int:
    listener = bind(settings.host, settings.port)
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not (server.started or running.done()):
        await asyncio.sleep(_TICK)
    if not server.started:
        raise StartupError("the application did not start: the lines above say why")
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    lifecycle.serve(lambda: loop.call_soon_threadsafe(stop.set))
    address = {"host": settings.host, "port": listener.getsockname()[1]}
    _log.info("listening", extra={"fields": address})
    running.add_done_callback(lambda _: stop.set())
    await stop.wait()
    if running.done():
        running.result()
        raise RuntimeError("uvicorn ended by itself")
    _log.info("stopping: %s", lifecycle.why)
    await _drain(server, listener, settings, lifecycle)
    await running
    _log.info("stopped")
    return 0


async def _drain(
    server: uvicorn.Server, listener: socket, settings: Settings, lifecycle: Lifecycle
) -> None:
    """The same steps as `servicekit.server` takes, ending with uvicorn's own shutdown."""
    await asyncio.sleep(settings.drain_delay)
    deadline = monotonic() + settings.shutdown_timeout
    refuse_new(listener)
    await asyncio.sleep(SETTLE)
    await _end_listening(server, listener)
    quiet = min(deadline, monotonic() + _QUIET)
    state = server.server_state
    while state.tasks or (state.connections and monotonic() < quiet):
        if monotonic() > deadline:
            message = f"{len(state.tasks)} requests in flight at the deadline: ending at once"
            lifecycle.abort(message, 1)
        await asyncio.sleep(_TICK)
    server.should_exit = True
    loop = asyncio.get_running_loop()
    late = "the application's shutdown did not end by the deadline: ending at once"
    loop.call_later(max(1.0, deadline - monotonic()), lifecycle.abort, late, 1)


async def _end_listening(server: uvicorn.Server, listener: socket) -> None:
    """Closes the listener without losing what is in its backlog, as asyncio alone would.

    asyncio also drops connections that it has accepted when their server closes before the next
    turn of the loop has begun.
    """
    loop = asyncio.get_running_loop()
    loop.remove_reader(listener)
    await asyncio.sleep(0)
    # uvicorn declares the class as a plain Protocol, which takes no arguments.
    protocol_class: Callable[..., asyncio.Protocol] = server.config.http_protocol_class
    protocol = partial(
        protocol_class,
        config=server.config,
        server_state=server.server_state,
        app_state=server.lifespan.state,
    )
    clients = []
    with suppress(BlockingIOError):
        while True:
            clients.append(listener.accept()[0])
    for each in server.servers:
        each.close()
    for client in clients:
        client.setblocking(False)
        await loop.connect_accepted_socket(protocol, client)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the lifecycle's


class Application:
    """Wraps an application with request ids, the kit's routes, the body limit and draining."""

    def __init__(self, app: App, settings: Settings, lifecycle: Lifecycle) -> None:
        self._app = app
        self._max_body = settings.max_body_bytes
        self._max_requests = settings.max_connections
        self._max_held = max(settings.max_buffered_bytes, settings.max_body_bytes)
        self._held = 0  # bytes of bodies that the application has received and not answered yet
        self._lifecycle = lifecycle
        self._metrics = Metrics()
        self._in_flight = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        method, path, headers = scope["method"], scope["path"], dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = logs.usable_request_id(given)
        logs.request_id.set(request_id)
        status, received, start = 500, 0, monotonic()  # 500: uvicorn's when the app fails
        refused = 0

        async def bounded_receive() -> Message:
            nonlocal received, refused
            message = await receive()
            size = len(message.get("body", b""))
            received += size
            self._held += size
            if received > self._max_body:
                refused = 413
            elif self._held > self._max_held:
                refused = 503
            return {"type": "http.disconnect"} if refused else message

        async def marking_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                marks = [(b"x-request-id", request_id.encode())]
                if self._lifecycle.stopping:
                    marks.append((b"connection", b"close"))
                message = {**message, "headers": [*message.get("headers", ()), *marks]}
            await send(message)

        async def bounded_send(message: Message) -> None:
            if not refused:
                await marking_send(message)
            elif message["type"] == "http.response.start":
                await _respond(Response.error(refused), marking_send)

        self._in_flight += 1
        try:
            length = headers.get(b"content-length", b"0")
            if answer := self._answer(method, path):
                await _respond(answer, marking_send)
            elif self._in_flight > self._max_requests:
                await _respond(
                    Response.error(503, retry_after="1", connection="close"), marking_send
                )
            elif length.isdigit() and int(length) > self._max_body:
                await _respond(Response.error(413), marking_send)
            else:
                await self._app(scope, bounded_receive, bounded_send)
        finally:
            self._in_flight -= 1
            self._held -= received
            seconds = monotonic() - start
            self._metrics.count(method, status, seconds)
            line = {"method": method, "path": path, "status": status}
            _log.debug("request", extra={"fields": line | {"seconds": round(seconds, 6)}})

    def _answer(self, method: str, path: str) -> Response | None:
        if path not in ("/health", "/ready", "/metrics"):
            return None
        if method not in ("GET", "HEAD"):
            return Response.error(405, allow="GET, HEAD")
        if path == "/metrics":
            text = self._metrics.text(requests_in_flight=self._in_flight)
            return Response(body=text.encode(), content_type=CONTENT_TYPE)
        if path == "/ready" and self._lifecycle.stopping:
            return Response.text("stopping\n", 503)
        return Response.text("OK")


async def _respond(response: Response, send: Send) -> None:
    fields = (
        ("content-type", response.content_type),
        ("content-length", str(len(response.body))),
        *response.headers,
    )
    headers = [(name.encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
