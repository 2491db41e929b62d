"""What a listener promises at its end."""

import socket

import pytest

from servicekit.lifecycle import StartupError
from servicekit.listener import bind, refuse_new


def test_an_address_in_use_is_named() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartupError, match=f"HOST 127.0.0.1 PORT {port}: Address already in"):
            bind("127.0.0.1", port)


def test_a_listener_speaks_ipv6_when_the_host_does() -> None:
    with bind("::1", 0) as listener, socket.socket(socket.AF_INET6) as client:
        client.connect(listener.getsockname())
        assert listener.accept()


def test_a_connection_made_before_the_end_is_accepted_after_it() -> None:
    with (
        bind("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()) as early,
    ):
        refuse_new(listener)
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b"kept")
            assert accepted.recv(4) == b"kept"


def test_a_connection_made_after_the_end_is_not_established() -> None:
    with bind("127.0.0.1", 0) as listener, socket.socket() as late:
        address = listener.getsockname()
        refuse_new(listener)
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):  # rather than a success that a reset would follow
            late.connect(address)
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.close()
        with socket.socket() as later, pytest.raises(ConnectionRefusedError):
            later.connect(address)
