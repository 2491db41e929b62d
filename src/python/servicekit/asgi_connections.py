"""Connections of uvicorn that wait for their client for so long only, and make room for others."""

import asyncio
from time import monotonic
from typing import ClassVar

import h11  # pants: no-infer-dep (it comes with uvicorn)
from uvicorn.protocols.http.h11_impl import H11Protocol

from servicekit.settings import Settings

_TICK = 0.5  # seconds between two looks at the time-outs
_GRACE = 1.0  # seconds a client has to go on with a request before it may have to make room
_RESERVED = 32  # connections above the limit: of clients whose requests are answered at once


class Connection(H11Protocol):
    """As uvicorn's, with the kit's `idle_timeout`, `request_timeout` and `max_connections`."""

    settings: ClassVar[Settings]
    # Connections that wait for their client, and since when, the longest first: for the first byte
    # of a request, and for the rest of one.
    idle: ClassVar["dict[Connection, float]"]
    unfinished: ClassVar["dict[Connection, float]"]
    sweeping: ClassVar[bool]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        limit = self.settings.max_connections
        room = len(self.connections) < limit or self._shed()
        if not room and len(self.connections) >= limit + _RESERVED:
            self.transport = transport
            return transport.abort()
        super().connection_made(transport)
        self.idle[self] = monotonic()
        if not type(self).sweeping:
            type(self).sweeping = True
            self.loop.call_later(_TICK, self._sweep)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        if self in self.connections:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._note()

    def _note(self) -> None:
        """Says what the connection waits for: for the service, or for what of its client."""
        state = self.conn.their_state
        if state is h11.IDLE and not self.conn.trailing_data[0]:
            self.unfinished.pop(self, None)
            self.idle.setdefault(self, monotonic())
        elif state in (h11.IDLE, h11.SEND_BODY):
            self.idle.pop(self, None)
            self.unfinished.setdefault(self, monotonic())
        else:
            self._forget()

    def _forget(self) -> None:
        self.idle.pop(self, None)
        self.unfinished.pop(self, None)

    def _shed(self) -> bool:
        """Closes the connection that has waited longest for its client; whether there was one."""
        for waiting, grace in ((self.idle, 0.0), (self.unfinished, _GRACE)):
            for each, since in waiting.items():
                if monotonic() - since < grace:
                    break
                each._forget()
                each.transport.abort()
                return True
        return False

    def _sweep(self) -> None:
        """Closes what has waited too long; looks again as long as there are connections."""
        times = (
            (self.idle, self.settings.idle_timeout),
            (self.unfinished, self.settings.request_timeout),
        )
        for waiting, timeout in times:
            late = monotonic() - timeout
            for each in [one for one, since in waiting.items() if since < late]:
                each._forget()
                each.transport.close()
        type(self).sweeping = bool(self.connections)
        if self.connections:
            self.loop.call_later(_TICK, self._sweep)


def connections(settings: Settings) -> type[Connection]:
    """The class of the connections of a server with these settings."""
    kept: dict[str, object] = {"settings": settings, "idle": {}, "unfinished": {}}
    return type("Connection", (Connection,), {**kept, "sweeping": False})
