"""Bytes to and from a service on the loopback interface."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

from inseam.testing import HARDENED, Container

_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def free_port() -> int:
    """A port of 127.0.0.1 without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start_on_loopback(
    start_image: Callable[..., Container], name: str, init: bool = False, **settings: str
) -> Container:
    """A hardened service that listens on 127.0.0.1 itself.

    Between a published port and the service, there is a proxy of the engine, which accepts
    connections that the service has refused; here, there is nothing in between.
    """
    port = free_port()
    env = {"HOST": "127.0.0.1", "PORT": str(port), **settings}
    address = f"src/python/{name}:app"
    container = start_image(
        address, HARDENED, init=init, network="host", ports=(port,), env=env, health_interval=None
    )
    container.wait_answers("/health")
    return container


def connect(container: Container) -> socket.socket:
    (port,) = container.ports.values()
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def read_all(connection: socket.socket) -> bytes:
    """Everything until the end of the stream or a reset."""
    data = b""
    try:
        while more := connection.recv(65536):
            data += more
    except ConnectionResetError:
        pass
    return data


def read_answers(connection: socket.socket, count: int) -> list[int]:
    """The statuses of `count` responses without status lines in their bodies; fewer at the end."""
    data = b""
    while len(_STATUS.findall(data)) < count or not _whole(data):
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return statuses(data)


def _whole(data: bytes) -> bool:
    head, _, body = data[data.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    length = re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)
    return length is not None and len(body) >= int(length[1])


def statuses(data: bytes) -> list[int]:
    return [int(status) for status in _STATUS.findall(data)]


def exchange(container: Container, data: bytes) -> list[int]:
    """Sends bytes and the end of the stream, and returns the statuses of the responses."""
    with connect(container) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent
        except OSError as error:
            if error.errno != 107:  # not connected any more
                raise
        return statuses(read_all(connection))


def metric(container: Container, name: str) -> int:
    """The sum of a metric over its labels."""
    from images.services import ask

    text = ask(container, "/metrics").body.decode()
    values = re.findall(rf"^{name}(?:{{.*}})? ([0-9.e+]+)$", text, re.MULTILINE)
    return int(sum(map(float, values)))
