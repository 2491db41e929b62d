"""Settings of a service, read from the environment once at start."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args, get_origin, get_type_hints

from servicekit.address import DEFAULT_HOST, DEFAULT_PORT, parse_host, parse_port
from servicekit.lifecycle import StartupError


class SettingsError(StartupError):
    """An environment variable has a value that cannot be used."""

    exit_code = 2


class Range(NamedTuple):
    """What a number may be, both ends included."""

    low: float
    high: float


Connections = Annotated[int, Range(1, 100_000)]
Bytes = Annotated[int, Range(0, 1 << 30)]
Timeout = Annotated[float, Range(0.1, 3600)]
Delay = Annotated[float, Range(0, 3600)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each field is read from the variable of its name in upper case.

    A service with settings of its own derives a frozen dataclass from this one. A field is a
    `str`, a `Literal` of lower-case words, an `int` or `float` annotated with its `Range`, or is
    annotated with a function that reads it and raises ValueError.
    """

    host: Annotated[str, parse_host] = DEFAULT_HOST
    port: Annotated[int, parse_port] = int(DEFAULT_PORT)
    """In a test, 0 lets the kernel choose."""
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """Each request is logged at debug, each failure at error."""
    workers: Annotated[int, Range(1, 256)] = 8
    """Threads that run handlers: at most so many requests are handled at once."""
    max_connections: Connections = 2000
    """Open connections. When there are more, those that wait for their client are closed, the
    longest first; when none does, new requests are answered with 503, all but the kit's own."""
    max_header_bytes: Annotated[int, Range(256, 1 << 20)] = 16_384
    max_body_bytes: Bytes = 1 << 20
    max_buffered_bytes: Bytes = 32 << 20
    """Bytes of requests, of all connections together, that are kept in memory: what is more is
    answered with 503, or costs the request that has waited longest for the rest of its body."""
    request_timeout: Timeout = 20.0
    """Seconds from a request's first byte to its last."""
    idle_timeout: Timeout = 60.0
    """Seconds a connection may wait for the first byte of a request."""
    write_timeout: Timeout = 20.0
    """Seconds a client may take to read a response."""
    drain_delay: Delay = 0.0
    """Seconds between a stop request (readiness turns 503) and the end of listening."""
    shutdown_timeout: Delay = 10.0
    """Seconds that requests in flight have to finish after the end of listening."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises SettingsError on the first value that is not usable."""
        kinds = get_type_hints(cls, include_extras=True)
        values = {
            each.name: _parse(each.name.upper(), environment[each.name.upper()], kinds[each.name])
            for each in fields(cls)
            if each.name.upper() in environment
        }
        return cls(**values)


def _parse(variable: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        if text.lower() in choices:
            return text.lower()
        raise SettingsError(f"{variable} must be one of {', '.join(choices)}, not {text!r}")
    if kind is str:
        if text.strip():
            return text
        raise SettingsError(f"{variable} must not be empty: unset it to use the default")
    number, reading = get_args(kind)
    if not isinstance(reading, Range):
        try:
            return reading(text)
        except ValueError as error:
            raise SettingsError(f"{variable} {error}") from None
    low, high = reading
    try:
        value = number(text)
    except ValueError:
        value = math.nan
    if low <= value <= high:
        return value
    what = "a whole number" if number is int else "a number"
    raise SettingsError(f"{variable} must be {what} from {low:.10g} to {high:.10g}, not {text!r}")
