"""A proxy in front of a registry that makes the registry's responses fail."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, Iterator

from oci.registry import Registry

HANG = 30.0  # seconds; longer than any test waits


@dataclass(frozen=True)
class Answer:
    """What the proxy does with a request.

    status: responds with it, without asking the registry. hang: does not respond. cut: reads that
    many bytes of the request's body, then closes the connection. change: changes the response's
    body.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    hang: bool = False
    cut: int | None = None
    change: Callable[[bytes], bytes] | None = None


PASS = Answer()

Rule = Callable[["Request"], Answer]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    authorization: str = ""


@dataclass
class Proxy:
    """A running proxy. rule: decides on each request; may be changed at any time."""

    port: int
    rule: Rule = field(default=lambda request: PASS)
    requests: list[Request] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


# Headers that belong to one of the two connections, or to the proxy's rules.
_OWN = ("transfer-encoding", "content-length", "authorization", "connection")


class _Closed(Exception):
    """The connection should be closed without a response."""


@contextmanager
def in_front_of(registry: Registry) -> Iterator[Proxy]:
    """Runs a proxy in front of the registry, which forwards everything until a rule is set."""
    proxy = Proxy(0)
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (_Closed, ConnectionError):
                self.close_connection = True

        def _answer(self) -> None:
            request = Request(self.command, self.path, self.headers.get("Authorization", ""))
            proxy.requests.append(request)
            answer = proxy.rule(request)
            if answer.hang:
                stopped.wait(HANG)
                raise _Closed
            body = self._body(answer.cut)
            if answer.status:
                self._send(answer.status, list(answer.headers), b"{}")
                return
            connection = HTTPConnection("127.0.0.1", registry.port, timeout=HANG)
            try:
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    if name.lower() not in _OWN:
                        connection.putheader(name, value)
                if body or self.command in ("POST", "PUT", "PATCH"):
                    connection.putheader("Content-Length", str(len(body)))
                connection.endheaders(body)
                response = connection.getresponse()
                content = response.read()
                if answer.change:
                    content = answer.change(content)
                self._send(response.status, response.getheaders(), content)
            finally:
                connection.close()

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

        def _body(self, cut: int | None) -> bytes:
            """The request's body; raises _Closed after `cut` bytes of it."""
            if self.headers.get("Transfer-Encoding", "") == "chunked":
                pieces: list[bytes] = []
                size = -1
                while size:
                    size = int(self.rfile.readline().split(b";")[0], 16)
                    if cut is not None and sum(len(piece) for piece in pieces) + size > cut:
                        raise _Closed
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                return b"".join(pieces)
            length = int(self.headers.get("Content-Length", "0"))
            if cut is not None and length:
                self.rfile.read(min(cut, length))
                raise _Closed
            return self.rfile.read(length)

        def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            length = str(len(content))
            for name, value in headers:
                if name.lower() == "content-length" and self.command == "HEAD":
                    length = value
                elif name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            if status >= 200 and status != 204:
                self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy
    finally:
        stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()
