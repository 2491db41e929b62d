"""An HTTP response, as a handler returns it and as it goes on the wire (RFC 9112)."""

import json
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Self

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is sent whole, with its length; `headers` are added to the ones the server sets."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def text(cls, text: str, status: int = 200, **headers: str) -> Self:
        """A plain text; `retry_after="1"` becomes the header `retry-after: 1`."""
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return cls(status, text.encode(), headers=named)

    @classmethod
    def json(cls, value: object, status: int = 200) -> Self:
        """Raises ValueError for a number that JSON does not have, such as NaN."""
        return cls(status, json.dumps(value, allow_nan=False).encode(), "application/json")

    @classmethod
    def error(cls, status: int, **headers: str) -> Self:
        """The status's own phrase as the text."""
        return cls.text(f"{_REASONS[status]}\n", status, **headers)

    def encode(self, *, request_id: str = "", head: bool = False, close: bool = False) -> bytes:
        """The message to send: without its body for `head`, the connection's last for `close`.

        Raises ValueError when a header could not be sent as one line.
        """
        bodiless = self.status in (204, 304)
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, '')}", _date(int(time.time()))]
        if not bodiless:
            lines.append(f"content-length: {len(self.body)}")
        if request_id:
            lines.append(f"x-request-id: {request_id}")
        typed = () if bodiless else (("content-type", self.content_type),)
        for name, value in typed + self.headers:
            if not (_FIELD_NAME.fullmatch(name) and _FIELD_VALUE.fullmatch(value)):
                raise ValueError(f"not a header: {name!r}: {value!r}")
            lines.append(f"{name}: {value}")
        if close:
            lines.append("connection: close")
        lines.append("\r\n")
        message = "\r\n".join(lines).encode("latin-1")
        return message if head or bodiless else message + self.body


@lru_cache(maxsize=1)
def _date(now: int) -> str:
    # Not strftime: the names of days and months must not follow the locale.
    at = time.gmtime(now)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.tm_wday]
    months = "JanFebMarAprMayJunJulAugSepOctNovDec"
    month = months[at.tm_mon * 3 - 3 : at.tm_mon * 3]
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"date: {day}, {at.tm_mday:02} {month} {at.tm_year} {clock} GMT"
