"""The HTTP server: one thread reads and times out connections, a bounded pool runs handlers.

A connection belongs to one thread at a time. The loop owns it while it waits for bytes (epoll with
EPOLLONESHOT reports it once), the queue hands it with a whole request to a worker, and the worker
gives it back by arming it again. So a connection needs no lock, and a client that sends or reads
slowly costs memory and a deadline but never a thread.
"""

import logging
import os
import select
import socket
import sys
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic

from servicekit import logs
from servicekit.lifecycle import Lifecycle
from servicekit.listener import BACKLOG, SETTLE, bind, refuse_new
from servicekit.metrics import CONTENT_TYPE, Metrics
from servicekit.request import Parser, Request, RequestError
from servicekit.response import Response
from servicekit.routes import Handler, Route, Routes
from servicekit.settings import Settings

_RECEIVE_BYTES = 32_768
_ACCEPTS_PER_TURN = 64
_TICK = 0.5  # seconds between two looks at the deadlines
_DRAIN_TICK = 0.02
_LINGER = 1.0  # seconds a client has to read the last answer and close
_QUIET = 1.0  # seconds a connection may stay silent once listening has ended
_GRACE = 1.0  # seconds a client has to go on with a request before it may have to make room
_RESERVED = 32  # connections above the limit, on which only inline handlers answer

_READ = select.EPOLLIN | select.EPOLLONESHOT
_WRITE = select.EPOLLOUT | select.EPOLLONESHOT

_log = logging.getLogger("servicekit")


class Connection:
    """A client's socket, what it has sent so far, and what it has not read yet."""

    __slots__ = ("busy", "checked", "closing", "deadline", "held", "lingering", "out", "parser",
                 "reserved", "since", "socket")  # fmt: skip

    def __init__(self, client: socket.socket, parser: Parser, timeout: float) -> None:
        self.socket = client
        self.parser = parser
        self.since = 0.0  # when it began to wait for what it waits for
        self.deadline = 0.0
        self.wait(timeout)
        self.busy = False  # a worker owns it
        self.reserved = False  # it is above the limit
        self.checked = False  # the route of the request in the parser lets its body come
        self.held = 0  # bytes of its requests that count as buffered
        self.out = memoryview(b"")  # the rest of a response
        self.closing = False  # `out` is the last response
        self.lingering = False  # everything is sent, the client's end of stream is awaited

    def wait(self, timeout: float) -> None:
        """From now on the client has `timeout` seconds."""
        self.since = monotonic()
        self.deadline = self.since + timeout

    @property
    def silent(self) -> bool:
        """The client has nothing to get, and has sent nothing that is not answered."""
        if self.out or not self.parser.empty:
            return False
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except OSError:  # mostly, because there is nothing to receive
            return True


class Server:
    """Serves routes until the lifecycle stops; see `serve`."""

    def __init__(self, routes: Routes, settings: Settings, lifecycle: Lifecycle) -> None:
        """Binds the socket; raises StartupError when the address cannot be used."""
        self._routes = routes
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = Metrics()
        routes.add("GET", "/health", lambda request: Response.text("OK"), inline=True)
        routes.add("GET", "/ready", self._answer_ready, inline=True)
        routes.add("GET", "/metrics", self._answer_metrics, inline=True)
        self._connections: dict[int, Connection] = {}
        self._work: SimpleQueue[tuple[Connection, Request, Handler] | None] = SimpleQueue()
        self._held = 0
        self._holding = Lock()
        self._debug = False
        self._listener = bind(settings.host, settings.port)
        self.port: int = self._listener.getsockname()[1]
        self._accepting = True
        self._next_look = 0.0
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(self._wake, select.EPOLLIN)

    def serve(self) -> int:
        """Serves until the lifecycle stops, then drains; returns the exit code.

        Draining: readiness turns 503 and each response closes its connection; after `drain_delay`
        listening ends; what is in flight has `shutdown_timeout` to finish, or the process aborts.
        """
        self._debug = _log.isEnabledFor(logging.DEBUG)
        count = self._settings.workers
        workers = [Thread(target=self._run_worker, daemon=True) for _ in range(count)]
        for worker in workers:
            worker.start()
        self._lifecycle.serve(lambda: os.eventfd_write(self._wake, 1))
        address = {"host": self._settings.host, "port": self.port}
        _log.info("listening", extra={"fields": address})
        while not self._lifecycle.stopping:
            self._turn(_TICK)
        _log.info("stopping: %s", self._lifecycle.why)
        self._drain()
        for _ in workers:
            self._work.put(None)
        for worker in workers:
            worker.join()
        _log.info("stopped")
        return 0

    # In the loop's thread.

    def _turn(self, wait: float) -> None:
        """Handles what happens within `wait` seconds, then every deadline that has passed."""
        listener = self._listener.fileno()
        new_clients = False
        for descriptor, _ in self._epoll.poll(wait):
            if descriptor == listener:
                new_clients = True
            elif descriptor == self._wake:
                os.eventfd_read(self._wake)
            elif connection := self._connections.get(descriptor):
                try:
                    self._continue(connection)
                except Exception:  # it costs one connection, not the service
                    _log.exception("unhandled error of the server")
                    self._close(connection)
        if new_clients:  # after the others: one that has just sent something makes no room
            self._accept(_ACCEPTS_PER_TURN)
        now = monotonic()
        if now >= self._next_look:
            self._next_look = now + min(wait, _TICK)
            for connection in list(self._connections.values()):
                if not connection.busy and now > connection.deadline:
                    self._expire(connection)
            self._listen(True)

    def _accept(self, count: int) -> None:
        """Takes new clients from the backlog, at most `count`, if need be in the place of others
        that wait for their client.

        When all places are taken by clients that wait for the service, those in reserve are for
        requests that are answered at once, a probe's above all. While draining there is no limit:
        the backlog is finite, and each client in it may have sent a request.
        """
        limit = sys.maxsize if self._lifecycle.stopping else self._settings.max_connections
        waiting: list[Connection] | None = None
        for _ in range(count):
            if len(self._connections) >= limit + _RESERVED:
                waiting = self._waiting() if waiting is None else waiting
                if not self._shed(waiting):
                    return self._listen(False)
            try:
                client, _address = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError as error:
                waiting = self._waiting() if waiting is None else waiting
                if self._shed(waiting):
                    continue
                _log.error("cannot accept: %s", error)
                return self._listen(False)
            if len(self._connections) >= limit:  # only now: before, there may be no client
                waiting = self._waiting() if waiting is None else waiting
                self._shed(waiting)
            client.setblocking(False)
            parser = Parser(self._settings.max_header_bytes, self._settings.max_body_bytes)
            connection = Connection(client, parser, self._settings.idle_timeout)
            connection.reserved = len(self._connections) >= limit
            if connection.reserved:
                connection.wait(min(_GRACE, self._settings.idle_timeout))
            self._connections[client.fileno()] = connection
            self._epoll.register(client, _READ)

    def _waiting(self) -> list[Connection]:
        """The connections that wait for their client, the last to make room first."""
        late = monotonic() - _GRACE
        found = [
            (not (each.lingering or each.parser.empty and not each.out), each.since, number, each)
            for number, each in enumerate(list(self._connections.values()))
            if not each.busy
        ]
        usable = [each for each in found if not each[0] or each[1] < late]
        return [connection for *_, connection in sorted(usable, reverse=True)]

    def _shed(self, waiting: list[Connection]) -> bool:
        """Closes the next of the connections that wait for their client; whether there was one."""
        late = monotonic() - _GRACE
        while waiting:
            each = waiting.pop()
            if each.busy or each.socket.fileno() < 0:
                continue
            if each.lingering or each.since < late or each.silent:
                self._close(each)
                return True
        return False

    def _make_room(self, connection: Connection) -> bool:
        """Closes connections whose bodies do not come to an end, those that wait longest first,
        until the bytes of the others may be buffered; whether that was enough."""
        late = monotonic() - _GRACE
        unfinished = [
            each
            for each in list(self._connections.values())
            if each is not connection
            and not each.busy
            and each.parser.in_body
            and each.since < late
        ]
        for each in sorted(unfinished, key=lambda one: one.since):
            if self._held <= self._limit:
                break
            self._close(each)
        return self._held <= self._limit

    def _listen(self, accepting: bool) -> None:
        """Whether new clients are taken, or left in the backlog until a later look."""
        if accepting != self._accepting and self._listener.fileno() >= 0:
            self._accepting = accepting
            self._epoll.modify(self._listener, select.EPOLLIN if accepting else 0)

    def _continue(self, connection: Connection) -> None:
        """Goes on where the connection was waiting: for room to write or for bytes to read."""
        if connection.out:
            if self._flush(connection):
                self._advance(connection, in_loop=True)
            return
        try:
            data = connection.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return self._await(connection, _READ)
        except OSError:
            return self._close(connection)
        if not data:
            return self._close(connection)
        if connection.lingering:
            return self._await(connection, _READ)
        if connection.parser.empty:
            connection.wait(self._settings.request_timeout)
        connection.parser.feed(data)
        if connection.parser.in_body:
            self._hold(connection, connection.parser.buffered)
            if self._held > self._limit and not self._make_room(connection):
                return self._refuse(connection, RequestError(503, "too many bodies at once"))
        self._advance(connection, in_loop=True)

    def _expire(self, connection: Connection) -> None:
        """Ends a connection whose client is too slow, or silent for too long."""
        waiting = connection.out or connection.lingering or connection.parser.empty
        if waiting:
            self._close(connection)
        else:
            self._refuse(connection, RequestError(408, "the request took too long"))

    def _drain(self) -> None:
        """From the stop request to the last answer, losing no request (see `serve`)."""
        start = monotonic()
        stop_listening = start + self._settings.drain_delay
        deadline = stop_listening + self._settings.shutdown_timeout
        while monotonic() < stop_listening:
            self._turn(_DRAIN_TICK)
        refuse_new(self._listener)
        settled = monotonic() + SETTLE
        while monotonic() < settled:
            self._turn(_DRAIN_TICK)
        self._accept(BACKLOG)
        self._listener.close()
        quiet = monotonic() + _QUIET
        while self._connections:
            now = monotonic()
            in_flight = 0
            for each in list(self._connections.values()):
                if each.busy or each.out or each.parser.in_body:
                    in_flight += 1
                elif now > min(quiet, deadline) and not each.lingering:
                    self._finish(each)
            if now > deadline:
                if in_flight:
                    message = f"{in_flight} requests in flight at the deadline: ending at once"
                    self._lifecycle.abort(message, 1)
                return
            self._turn(_DRAIN_TICK)

    # In the thread that owns the connection.

    def _advance(self, connection: Connection, *, in_loop: bool) -> None:
        """Answers the requests that are whole, or hands the first to a worker; then waits."""
        while True:
            try:
                request = connection.parser.next()
            except RequestError as error:
                return self._refuse(connection, error)
            if request is None:
                return self._await_request(connection)
            given = request.headers.get("x-request-id", "")
            request.id = logs.usable_request_id(given)
            route = self._routes.find(request.method, request.path)
            if not connection.checked:
                answer = self._early_answer(connection, request, route)
                if answer is not None:
                    if not self._answer(connection, request, partial(_given, answer)):
                        return None
                    continue
            connection.checked = False
            if in_loop and not route.inline:
                connection.busy = True
                self._hold(connection, len(request.body) + connection.parser.buffered)
                return self._work.put((connection, request, route.handler))
            if not self._answer(connection, request, route.handler):
                return None

    def _early_answer(
        self, connection: Connection, request: Request, route: Route
    ) -> Response | None:
        """What is answered without the handler, and without the body: refusals."""
        limit = self._settings.max_connections
        if connection.reserved and not route.inline and len(self._connections) > limit:
            request.keep_alive = False
            return Response.error(503, retry_after="1")
        return route.check(request) if route.check is not None else None

    def _await_request(self, connection: Connection) -> None:
        parser = connection.parser
        request = parser.head
        if request is not None and not connection.checked:
            route = self._routes.find(request.method, request.path)
            answer = self._early_answer(connection, request, route)
            if answer is not None:
                # Nothing tells what of the body is on its way: the connection ends.
                request.keep_alive = False
                parser.drop()
                self._answer(connection, request, partial(_given, answer))
                return
            connection.checked = True
        self._hold(connection, parser.buffered)
        if parser.empty:
            connection.wait(self._settings.idle_timeout)
        elif parser.expects_continue:
            parser.expects_continue = False
            if not self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n"):
                return
        self._await(connection, _READ)

    @property
    def _limit(self) -> int:
        """Bytes of requests that may be buffered: one must always fit."""
        one = self._settings.max_body_bytes + self._settings.max_header_bytes
        return max(self._settings.max_buffered_bytes, one)

    def _hold(self, connection: Connection, size: int) -> None:
        """Counts the bytes of a connection that are kept in memory."""
        if size != connection.held:
            with self._holding:
                self._held += size - connection.held
                connection.held = size

    def _answer(self, connection: Connection, request: Request, handler: Handler) -> bool:
        """Sends the handler's response; whether the connection is ready for the next request."""
        start = monotonic()
        token = logs.request_id.set(request.id)

        def encode(response: Response) -> bytes:
            # While draining, requests that have come already are answered before the close.
            draining = self._lifecycle.stopping and connection.parser.empty
            connection.closing = draining or not request.keep_alive
            head = request.method == "HEAD"
            return response.encode(request_id=request.id, head=head, close=connection.closing)

        try:
            response = handler(request)
            message = encode(response)
        except BaseException:  # a SystemExit must not end the worker
            where = {"method": request.method, "path": request.path}
            _log.exception("unhandled error in a request", extra={"fields": where})
            response = Response.error(500)
            message = encode(response)
        seconds = monotonic() - start
        self._metrics.count(request.method, response.status, seconds)
        if self._debug:
            line = {"method": request.method, "path": request.path, "status": response.status}
            _log.debug("request", extra={"fields": line | {"seconds": round(seconds, 6)}})
        logs.request_id.reset(token)
        self._hold(connection, connection.parser.buffered)
        return self._send(connection, message)

    def _refuse(self, connection: Connection, error: RequestError) -> None:
        _log.debug("refused: %s", error)
        self._metrics.count("other", error.status, 0.0)
        connection.closing = True
        connection.parser.drop()
        self._hold(connection, 0)
        self._send(connection, Response.error(error.status).encode(close=True))

    def _send(self, connection: Connection, message: bytes) -> bool:
        """Whether all of it is sent and the connection is ready for the next request."""
        connection.out = memoryview(message)
        connection.wait(self._settings.write_timeout)
        return self._flush(connection)

    def _flush(self, connection: Connection) -> bool:
        try:
            sent = connection.socket.send(connection.out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return False
        connection.out = connection.out[sent:]
        if connection.out:
            self._await(connection, _WRITE)
            return False
        if connection.closing:
            self._finish(connection)
            return False
        connection.wait(self._settings.request_timeout)
        return True

    def _finish(self, connection: Connection) -> None:
        """Ends our side, then waits for the client's: closing at once could reset the answer."""
        connection.lingering = True
        connection.wait(_LINGER)
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return self._close(connection)
        self._await(connection, _READ)

    def _await(self, connection: Connection, events: int) -> None:
        """Gives the connection to the loop until one of `events`."""
        connection.busy = False
        try:
            self._epoll.modify(connection.socket, events)
        except (OSError, ValueError):
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        descriptor = connection.socket.fileno()
        if descriptor >= 0:
            self._connections.pop(descriptor, None)
            connection.socket.close()
            self._hold(connection, 0)

    # In a worker's thread.

    def _run_worker(self) -> None:
        while (job := self._work.get()) is not None:
            connection, request, handler = job
            try:
                if self._answer(connection, request, handler):
                    self._advance(connection, in_loop=False)
            except Exception:  # nor a worker
                _log.exception("unhandled error of the server")
                self._close(connection)

    # Handlers of the kit.

    def _answer_ready(self, request: Request) -> Response:
        if self._lifecycle.stopping:
            return Response.text("stopping\n", 503)
        return Response.text("OK")

    def _answer_metrics(self, request: Request) -> Response:
        connections = list(self._connections.values())
        busy = sum(each.busy for each in connections)
        text = self._metrics.text(connections=len(connections), requests_in_flight=busy)
        return Response(body=text.encode(), content_type=CONTENT_TYPE)


def _given(response: Response, request: Request) -> Response:
    return response
