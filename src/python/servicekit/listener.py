"""A listening socket that can end without resetting a connection a client believes open."""

import socket
import struct
from array import array
from contextlib import suppress

from servicekit.address import is_ipv6
from servicekit.lifecycle import StartupError

BACKLOG = 1024
SETTLE = 0.1  # seconds that handshakes may take once no new one begins
_SO_ATTACH_FILTER = 26

# Classic BPF on the TCP header (linux/filter.h): drop what has SYN without ACK, keep the rest.
_NO_NEW_CONNECTIONS = (
    (0x30, 0, 0, 13),  # ldb [13]: the flags
    (0x54, 0, 0, 0x12),  # and #SYN|ACK
    (0x15, 0, 1, 0x02),  # jeq #SYN
    (0x06, 0, 0, 0),  # ret #0: drop
    (0x06, 0, 0, 0xFFFFFFFF),  # ret #-1: keep
)


def bind(host: str, port: int) -> socket.socket:
    """A non-blocking listening TCP socket; raises StartupError."""
    family = socket.AF_INET6 if is_ipv6(host) else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = error.strerror or error
        raise StartupError(f"cannot listen on HOST {host} PORT {port}: {why}") from error
    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its connections inherit it
    return listener


def refuse_new(listener: socket.socket) -> None:
    """Lets handshakes that have begun end, while no new one begins.

    Closing a listener resets every connection in its backlog, even one whose client has already
    sent a request. After this call the backlog can be emptied for good: wait for SETTLE seconds,
    accept until nothing is left, close.
    """
    program = b"".join(struct.pack("HBBI", *each) for each in _NO_NEW_CONNECTIONS)
    code = array("B", program)
    fprog = struct.pack("HP", len(_NO_NEW_CONNECTIONS), code.buffer_info()[0])
    # On a kernel without socket filters, a connection of the last microseconds may be reset.
    with suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
