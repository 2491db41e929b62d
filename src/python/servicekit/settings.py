"""Settings of a service, read from the environment once at start."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from servicekit.lifecycle import StartupError


class SettingsError(StartupError):
    """An environment variable has a value that cannot be used."""

    exit_code = 2


def number(default: float, low: float, high: float) -> Any:
    """A field from `low` to `high`, both included."""
    return field(default=default, metadata={"low": low, "high": high})


def choice(default: str, *choices: str) -> Any:
    """A field that is one of `choices`, whatever the case it is written in."""
    return field(default=default, metadata={"choices": choices})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each field is read from the variable of its name in upper case.

    A service with settings of its own derives a frozen dataclass from this one; fields are `int`,
    `float` or `str`.
    """

    host: str = "0.0.0.0"
    port: int = number(8000, 0, 65535)
    """0 lets the kernel choose; the log line "listening" says which."""
    log_level: str = choice("info", "debug", "info", "warning", "error", "critical")
    workers: int = number(8, 1, 256)
    """Threads that run handlers: at most so many requests are handled at once."""
    max_connections: int = number(2000, 1, 100_000)
    """Open connections; more wait in the listen backlog."""
    max_header_bytes: int = number(16_384, 256, 1 << 20)
    max_body_bytes: int = number(1 << 20, 0, 1 << 30)
    request_timeout: float = number(20.0, 0.1, 3600)
    """Seconds from a request's first byte to its last."""
    idle_timeout: float = number(60.0, 0.1, 3600)
    """Seconds a connection may wait for the first byte of a request."""
    write_timeout: float = number(20.0, 0.1, 3600)
    """Seconds a client may take to read a response."""
    drain_delay: float = number(0.0, 0, 600)
    """Seconds between a stop request (readiness turns 503) and the end of listening."""
    shutdown_timeout: float = number(10.0, 0, 3600)
    """Seconds that requests in flight have to finish after the end of listening."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises SettingsError on the first value that is not usable."""
        values: dict[str, Any] = {}
        for each in fields(cls):
            text = environment.get(each.name.upper())
            if text is not None:
                values[each.name] = _parse(each.name.upper(), text, each.type, each.metadata)
        return cls(**values)


def _parse(variable: str, text: str, kind: Any, metadata: Mapping[str, Any]) -> Any:
    if choices := metadata.get("choices"):
        if text.lower() in choices:
            return text.lower()
        raise SettingsError(f"{variable} must be one of {', '.join(choices)}, not {text!r}")
    if kind is str:
        if text.strip():
            return text
        raise SettingsError(f"{variable} must not be empty: unset it to use the default")
    low, high = metadata.get("low", -math.inf), metadata.get("high", math.inf)
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if low <= value <= high:
        return value
    what = "a whole number" if kind is int else "a number"
    raise SettingsError(f"{variable} must be {what} from {low:g} to {high:g}, not {text!r}")
