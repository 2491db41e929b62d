"""An HTTP request, and the strict parser that makes it of bytes (RFC 9112)."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])"
)
_FIELD_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_FIELDS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_HEAD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?<!\r)\n")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)

_MAX_FIELDS = 100
_MAX_CHUNK_LINE = 256


class RequestError(Exception):
    """A request that is answered with `status`, after which the connection closes."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True)
class Request:
    """`path` is as sent, percent-encoded; names in `headers` are lower case.

    A header that was sent more than once has its values joined by ", ".
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    keep_alive: bool
    body: bytes = b""
    id: str = ""

    def parameter(self, name: str, default: str = "") -> str:
        """The last value of a query parameter, decoded."""
        return parse_qs(self.query, keep_blank_values=True, max_num_fields=100).get(
            name, [default]
        )[-1]


class Parser:
    """Takes the bytes of one connection, gives its requests one after another.

    Memory is bounded: a head by `max_header_bytes`, a body by `max_body_bytes`, plus what one
    `feed` adds.
    """

    __slots__ = ("_body", "_buffer", "_chunk", "_left", "_max_body", "_max_header", "_request",
                 "_scanned", "_trailer", "expects_continue")  # fmt: skip

    def __init__(self, max_header_bytes: int, max_body_bytes: int) -> None:
        self._max_header = max_header_bytes
        self._max_body = max_body_bytes
        self._buffer = bytearray()
        self._request: Request | None = None  # its head is read, its body is not
        self._scanned = 0  # bytes of the buffer that hold no end of a head
        self._left = 0  # bytes of a body of known length that are to come; -1 for chunks
        self._body = bytearray()  # the chunks so far
        self._chunk = -1  # size of the chunk whose data comes next; -1 before its size line
        self._trailer = 0
        self.expects_continue = False

    @property
    def empty(self) -> bool:
        """Between two requests."""
        return not self._buffer and self._request is None

    @property
    def in_body(self) -> bool:
        """The client has sent a whole head and now sends a body."""
        return self._request is not None

    @property
    def head(self) -> Request | None:
        """The request whose body is still to come."""
        return self._request

    @property
    def buffered(self) -> int:
        """Bytes that are kept until the request is whole."""
        return len(self._buffer) + len(self._body)

    def drop(self) -> None:
        """Forgets what has come: the connection ends."""
        self._buffer, self._body, self._request = bytearray(), bytearray(), None

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Request | None:
        """The next whole request, None when more bytes are needed; raises RequestError."""
        if self._request is None:
            self._request = self._read_head()
        request = self._request
        if request is None or not (self._read_chunks() if self._left < 0 else self._read_body()):
            return None
        request.body = bytes(self._body)
        self._request, self._body, self.expects_continue = None, bytearray(), False
        return request

    def _read_head(self) -> Request | None:
        buffer, limit = self._buffer, self._max_header
        while buffer.startswith(b"\r\n"):  # section 2.2: empty lines before a request are ignored
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", self._scanned)
        seen = len(buffer) - 3 if end < 0 else end  # an end may begin in the last three bytes
        if _NOT_IN_HEAD.search(buffer, max(0, self._scanned - 1), min(max(seen, 0), limit) + 1):
            raise RequestError(400, "not a head: a control character, or a line without CRLF")
        if seen > limit:
            long_line = not 0 <= buffer.find(b"\r\n") <= limit
            raise RequestError(414 if long_line else 431, "the head is too long")
        if end < 0:
            self._scanned = max(0, seen)
            return None
        head = bytes(buffer[:end])
        del buffer[: end + 4]
        self._scanned = 0
        return self._parse_head(head)

    def _parse_head(self, head: bytes) -> Request:
        first, *lines = head.split(b"\r\n")
        match = _REQUEST_LINE.fullmatch(first)
        if match is None:
            raise RequestError(400, "malformed request line")
        method, target = match[1].decode(), match[2].decode()
        if match[3] != b"1":
            raise RequestError(505, "not HTTP/1")
        modern = match[4] != b"0"
        headers = _parse_fields(lines)
        if modern and ("host" not in headers or "," in headers["host"]):
            raise RequestError(400, "HTTP/1.1 needs one Host")
        tokens = {each.strip().lower() for each in headers.get("connection", "").split(",")}
        self._plan_body(headers, modern)
        path, _, query = _origin_form(target, method).partition("?")
        return Request(method, path, query, headers, modern and "close" not in tokens)

    def _plan_body(self, headers: dict[str, str], modern: bool) -> None:
        """Sets how the body is delimited (section 6.3), refusing whatever is ambiguous."""
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        self._left, self._chunk, self._trailer = 0, -1, 0
        if coding is not None:
            if length is not None or not modern:
                raise RequestError(400, "Transfer-Encoding with Content-Length or HTTP/1.0")
            if coding.lower() != "chunked":
                raise RequestError(501, "unknown transfer coding")
            self._left = -1
        elif length is not None:
            if not _LENGTH.fullmatch(length.encode("latin-1")):
                raise RequestError(400, "malformed Content-Length")
            self._left = int(length)
            if self._left > self._max_body:
                raise RequestError(413, "the body is too long")
        expect = headers.get("expect")
        if expect is not None and expect.lower() != "100-continue":
            raise RequestError(417, "unknown expectation")
        self.expects_continue = expect is not None and modern and self._left != 0

    def _read_body(self) -> bool:
        if len(self._buffer) < self._left:
            return False
        self._body = self._buffer[: self._left]
        del self._buffer[: self._left]
        return True

    def _read_chunks(self) -> bool:
        buffer, body = self._buffer, self._body
        while True:
            if self._chunk > 0:
                size = self._chunk
                if len(buffer) < size + 2:
                    return False
                if buffer[size : size + 2] != b"\r\n":
                    raise RequestError(400, "a chunk is not as long as it says")
                body += buffer[:size]
                del buffer[: size + 2]
                self._chunk = -1
                continue
            line = self._read_line(_MAX_CHUNK_LINE if self._chunk < 0 else self._max_header)
            if line is None:
                return False
            if self._chunk == 0:  # trailer fields: checked, counted, dropped
                if not line:
                    return True
                self._trailer += len(line)
                if self._trailer > self._max_header:
                    raise RequestError(431, "the trailer is too long")
                _parse_fields([line])
                continue
            match = _CHUNK.fullmatch(line)
            if match is None:
                raise RequestError(400, "malformed chunk size")
            self._chunk = int(match[1], 16)
            if len(body) + self._chunk > self._max_body:
                raise RequestError(413, "the body is too long")

    def _read_line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\n", 0, limit)
        if end < 0:
            if len(self._buffer) >= limit:
                raise RequestError(400, "a line in the body is too long")
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n"):
            raise RequestError(400, "a line does not end with CRLF")
        return line[:-2]


def _parse_fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > _MAX_FIELDS:
        raise RequestError(431, "too many header fields")
    headers: dict[str, str] = {}
    for line in lines:
        raw, colon, value = line.partition(b":")
        if not colon or not _FIELD_NAME.fullmatch(raw) or _NOT_IN_FIELDS.search(value):
            raise RequestError(400, "malformed header field")
        name, text = raw.decode().lower(), value.strip(b" \t").decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _origin_form(target: str, method: str) -> str:
    """The path and query of a target in origin or absolute form (section 3.2)."""
    if target.startswith("/") or (target == "*" and method == "OPTIONS"):
        return target
    match = _ABSOLUTE.match(target)
    if match is None:
        raise RequestError(400, "malformed request target")
    rest = target[match.end() :]
    return rest if rest.startswith("/") else "/" + rest
