"""Clients that send one byte a second and never finish a request."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "


@contextmanager
def attack(port: int, clients: int) -> Iterator[None]:
    """So many connections that dribble for as long as the block runs; closed ones come back."""
    stop = threading.Event()

    def connect() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.setblocking(False)
        connection.send(_HEAD[:5])
        return connection

    def dribble() -> None:
        while not stop.wait(1.0):
            for n, connection in enumerate(connections):
                try:
                    connection.send(b"x")
                except OSError:
                    connection.close()
                    try:
                        connections[n] = connect()
                    except OSError:
                        continue  # tried again in a second

    connections = [connect() for _ in range(clients)]
    thread = threading.Thread(target=dribble)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for connection in connections:
            connection.close()
