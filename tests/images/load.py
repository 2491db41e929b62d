"""A load of keep-alive connections that knows the fate of each request."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: close\r\n", re.IGNORECASE)


@dataclass
class Outcome:
    """answered: requests that were, with 200. lost: what came for each that was not. refused:
    connections that could not be made, on which nothing was sent."""

    answered: int = 0
    lost: list[bytes] = field(default_factory=list)
    refused: int = 0


class _Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        self.connected = False
        self.answer = b""


def run(port: int, connections: int, request: bytes, turn: Callable[[Outcome], bool]) -> Outcome:
    """Keeps so many connections busy, until none can be made any more or `turn` returns false.

    turn: called with the outcome so far, at least ten times a second.
    """
    outcome = Outcome()
    selector = selectors.DefaultSelector()

    def connect() -> None:
        client = _Client(port)
        selector.register(client.socket, selectors.EVENT_WRITE, client)

    def close(client: _Client) -> None:
        selector.unregister(client.socket)
        client.socket.close()

    def proceed(client: _Client) -> None:
        if not client.connected:
            if client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                outcome.refused += 1
                return close(client)
            client.connected = True
            selector.modify(client.socket, selectors.EVENT_READ, client)
            return send(client)
        try:
            data = client.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            outcome.lost.append(client.answer)
            return close(client)
        client.answer += data
        head, blank, body = client.answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not blank or length is None or len(body) < int(length[1]):
            return None
        if head.startswith(b"HTTP/1.1 200 "):
            outcome.answered += 1
        else:
            outcome.lost.append(client.answer)
        client.answer = b""
        if not _CLOSE.search(head + b"\r\n"):
            return send(client)
        close(client)
        return connect()

    def send(client: _Client) -> None:
        with suppress(OSError):  # the next read fails too, and counts it
            client.socket.send(request)

    for _ in range(connections):
        connect()
    while selector.get_map() and turn(outcome):
        for key, _ in selector.select(0.1):
            proceed(key.data)
    for key in list(selector.get_map().values()):
        close(key.data)
    return outcome
