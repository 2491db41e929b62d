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
from queue import SimpleQueue
from threading import Thread
from time import monotonic

from servicekit import logs
from servicekit.lifecycle import Lifecycle
from servicekit.listener import BACKLOG, SETTLE, bind, refuse_new
from servicekit.metrics import CONTENT_TYPE, Metrics
from servicekit.request import Parser, Request, RequestError
from servicekit.response import Response
from servicekit.routes import Handler, Routes
from servicekit.settings import Settings

_RECEIVE_BYTES = 32_768
_ACCEPTS_PER_TURN = 64
_TICK = 0.5  # seconds between two looks at the deadlines
_DRAIN_TICK = 0.02
_LINGER = 1.0  # seconds a client has to read the last answer and close
_QUIET = 1.0  # seconds a connection may stay silent once listening has ended

_READ = select.EPOLLIN | select.EPOLLONESHOT
_WRITE = select.EPOLLOUT | select.EPOLLONESHOT

_log = logging.getLogger("servicekit")


class Connection:
    """A client's socket, what it has sent so far, and what it has not read yet."""

    __slots__ = ("busy", "closing", "deadline", "lingering", "out", "parser", "socket")

    def __init__(self, client: socket.socket, parser: Parser, deadline: float) -> None:
        self.socket = client
        self.parser = parser
        self.deadline = deadline
        self.busy = False  # a worker owns it
        self.out = memoryview(b"")  # the rest of a response
        self.closing = False  # `out` is the last response
        self.lingering = False  # everything is sent, the client's end of stream is awaited


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
        for descriptor, _ in self._epoll.poll(wait):
            if descriptor == listener:
                self._accept(min(self._room(), _ACCEPTS_PER_TURN))
                if not self._room():
                    self._listen(False)
            elif descriptor == self._wake:
                os.eventfd_read(self._wake)
            elif connection := self._connections.get(descriptor):
                try:
                    self._continue(connection)
                except Exception:  # it costs one connection, not the service
                    _log.exception("unhandled error of the server")
                    self._close(connection)
        now = monotonic()
        if now >= self._next_look:
            self._next_look = now + min(wait, _TICK)
            for connection in list(self._connections.values()):
                if not connection.busy and now > connection.deadline:
                    self._expire(connection)
            self._listen(self._room() > 0)

    def _room(self) -> int:
        return max(0, self._settings.max_connections - len(self._connections))

    def _accept(self, room: int) -> None:
        """Takes new clients from the backlog, at most `room`."""
        for _ in range(room):
            try:
                client, _address = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            except OSError as error:
                _log.error("cannot accept: %s", error)
                return self._listen(False)
            client.setblocking(False)
            parser = Parser(self._settings.max_header_bytes, self._settings.max_body_bytes)
            connection = Connection(client, parser, monotonic() + self._settings.idle_timeout)
            self._connections[client.fileno()] = connection
            self._epoll.register(client, _READ)

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
            connection.deadline = monotonic() + self._settings.request_timeout
        connection.parser.feed(data)
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
        self._accept(room=BACKLOG)
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
            if in_loop and not route.inline:
                connection.busy = True
                return self._work.put((connection, request, route.handler))
            if not self._answer(connection, request, route.handler):
                return None

    def _await_request(self, connection: Connection) -> None:
        parser = connection.parser
        if parser.empty:
            connection.deadline = monotonic() + self._settings.idle_timeout
        elif parser.expects_continue:
            parser.expects_continue = False
            if not self._send(connection, b"HTTP/1.1 100 Continue\r\n\r\n"):
                return
        self._await(connection, _READ)

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
        return self._send(connection, message)

    def _refuse(self, connection: Connection, error: RequestError) -> None:
        _log.debug("refused: %s", error)
        self._metrics.count("other", error.status, 0.0)
        connection.closing = True
        self._send(connection, Response.error(error.status).encode(close=True))

    def _send(self, connection: Connection, message: bytes) -> bool:
        """Whether all of it is sent and the connection is ready for the next request."""
        connection.out = memoryview(message)
        connection.deadline = monotonic() + self._settings.write_timeout
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
        connection.deadline = monotonic() + self._settings.request_timeout
        return True

    def _finish(self, connection: Connection) -> None:
        """Ends our side, then waits for the client's: closing at once could reset the answer."""
        connection.lingering = True
        connection.deadline = monotonic() + _LINGER
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
