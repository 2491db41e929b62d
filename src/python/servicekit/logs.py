"""Logs: one JSON object a line on stdout, written at once."""

import json
import logging
import os
import string
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import count

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Set while a request is handled: every line logged meanwhile carries it."""

_process = os.urandom(6).hex()
_serial = count(1)
_PLAIN = frozenset("-_.:/+=" + string.ascii_letters + string.digits)


def usable_request_id(given: str) -> str:
    """The client's id when it is short and plain, else a new one, unique over processes."""
    if given and len(given) <= 128 and _PLAIN.issuperset(given):
        return given
    return f"{_process}-{next(_serial):x}"


class JsonFormatter(logging.Formatter):
    """`extra={"fields": {...}}` adds members to the object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            line["request_id"] = current
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, separators=(",", ":"))


class StdoutHandler(logging.Handler):
    """Writes to file descriptor 1 past every buffer; the handler's lock keeps lines whole."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            left = self.format(record).encode() + b"\n"
            while left:
                left = left[os.write(1, left) :]
        except Exception:  # the contract of logging.Handler
            self.handleError(record)


def configure(level: str) -> None:
    """Sends everything that is logged in the process, by any library, to stdout as JSON."""
    handler = StdoutHandler()
    handler.setFormatter(JsonFormatter())
    logging.raiseExceptions = False  # a closed stdout must not fail requests
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
