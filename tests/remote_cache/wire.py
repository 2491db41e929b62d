"""A loopback connection to a server that can be cut, or hang, after a number of bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Wire:
    """Forwards connections to `target` until it has sent `limit` bytes.

    After that, it refuses connections and closes the open ones; or, if `hangs`, it accepts
    connections, keeps them open, and never forwards another byte.
    """

    def __init__(self, target: int | None, limit: int, hangs: bool) -> None:
        self._target, self._left, self._hangs = target, limit, hangs
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.broken = threading.Event()
        if limit == 0:
            self._break()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Closes everything."""
        self._hangs = False
        self._break()

    def _break(self) -> None:
        self.broken.set()
        if self._hangs:
            return
        with self._lock:
            for item in (self._listener, *self._open):
                # Unlike close(), this also wakes other threads that are waiting.
                with suppress(OSError):
                    item.shutdown(socket.SHUT_RDWR)
                item.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(client)
            if self._target is None or self.broken.is_set():
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._open.append(server)
            for source, sink, counted in ((client, server, False), (server, client, True)):
                pump = threading.Thread(target=self._pump, args=(source, sink, counted))
                pump.daemon = True
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    with self._lock:
                        self._left -= len(data)
                    if self._left < 0 and not self.broken.is_set():
                        self._break()
                if self.broken.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def wire(target: int | None, limit: int, *, hangs: bool) -> Iterator[Wire]:
    """A Wire until the block ends; without a target, it reaches nothing."""
    made = Wire(target, limit, hangs)
    try:
        yield made
    finally:
        made.close()
