"""Reads HOST and PORT, for the service and for its probe alike.

The probe imports it every few seconds: it needs no module that the interpreter has not loaded.
"""

DEFAULT_HOST = "0.0.0.0"
DEFAULT_PORT = "8000"

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def parse_host(text: str) -> str:
    """A name or an address to listen on; raises ValueError that says what it must be."""
    if text.isascii() and text.isprintable() and text and " " not in text:
        return text
    raise ValueError(f"must be an address or a name in ASCII, not {text!r}")


def parse_port(text: str) -> int:
    """From 1 to 65535: with 0 nobody would know where the service is. Raises ValueError that says
    what it must be."""
    # Not int(), which reads "+8000", "8_000", " 8000 " and digits of all scripts.
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= 65535:
        return int(text)
    raise ValueError(f"must be a whole number from 1 to 65535, not {text!r}")


def is_ipv6(host: str) -> bool:
    """Whether a service with this HOST listens on IPv6; all others listen on IPv4 only."""
    return ":" in host


def reachable(host: str) -> str:
    """Where, on the same machine, a service with this HOST is reached."""
    return _LOOPBACK.get(host, host)
