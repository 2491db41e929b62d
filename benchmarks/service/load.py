"""A load of keep-alive connections that knows the fate of every request it sent."""

import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

REQUEST = b"GET /load HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass
class Outcome:
    answered: int = 0
    lost: int = 0
    """Requests that were sent, at least in part, and got no whole answer."""
    refused: int = 0
    """Connections that could not be made: no request was sent on them."""


class _Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        self.connected = False
        self.answer = bytearray()


def run(port: int, clients: int, seconds: float, enough: Callable[[int], bool]) -> Outcome:
    """Keeps `clients` connections busy until none can be made, at most for `seconds`.

    `enough` is asked often, with the number of answers so far: true ends the load.
    """
    outcome = Outcome()
    epoll = select.epoll()
    open_clients: dict[int, _Client] = {}

    def connect() -> None:
        client = _Client(port)
        open_clients[client.socket.fileno()] = client
        epoll.register(client.socket, select.EPOLLOUT)

    def close(client: _Client) -> None:
        del open_clients[client.socket.fileno()]
        client.socket.close()

    for _ in range(clients):
        connect()
    end = monotonic() + seconds
    while open_clients and monotonic() < end:
        for descriptor, _events in epoll.poll(0.1):
            client = open_clients[descriptor]
            if not client.connected:
                if client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    outcome.refused += 1
                    close(client)
                    continue
                client.connected = True
                epoll.modify(client.socket, select.EPOLLIN)
                _send(client)
                continue
            try:
                data = client.socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                outcome.lost += 1
                close(client)
                continue
            client.answer += data
            if (more := _whole(client.answer)) is None:
                continue
            outcome.answered += 1
            client.answer.clear()
            if more:
                _send(client)
            else:
                close(client)
                connect()
        if enough(outcome.answered):
            break
    else:
        outcome.lost += sum(client.connected for client in open_clients.values())
    for client in list(open_clients.values()):
        close(client)
    return outcome


def _send(client: _Client) -> None:
    with suppress(OSError):  # the next read fails and counts it as lost
        client.socket.send(REQUEST)


def _whole(answer: bytearray) -> bool | None:
    """None while the answer is not whole, then whether the connection may be used again."""
    head, blank, body = bytes(answer).partition(b"\r\n\r\n")
    if not blank:
        return None
    fields = head.lower().split(b"\r\n")
    length = next(int(each[15:]) for each in fields if each.startswith(b"content-length:"))
    return None if len(body) < length else b"connection: close" not in fields
