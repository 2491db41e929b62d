"""Passes connections on to a local port, and counts the bytes that clients send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer


class Forwarder(ThreadingTCPServer):
    """Listens on a loopback port of its own. sent: bytes that clients have sent so far."""

    daemon_threads = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target, self.sent, self._lock = target, 0, threading.Lock()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def count(self, size: int) -> None:
        with self._lock:
            self.sent += size


class _Connection(BaseRequestHandler):
    server: Forwarder

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as target:
            back = threading.Thread(target=_copy, args=(target, self.request, lambda size: None))
            back.start()
            _copy(self.request, target, self.server.count)
            back.join()


def _copy(source: socket.socket, target: socket.socket, count: Callable[[int], None]) -> None:
    try:
        while data := source.recv(1 << 18):
            count(len(data))
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # The other side has closed.


@contextmanager
def forwarding(target: int) -> Iterator[Forwarder]:
    """Forwards to the local port `target` until the block ends."""
    with Forwarder(target) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
