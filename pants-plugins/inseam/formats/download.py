"""Downloads files with a known hash, within limits of size and time.

A thread talks to the server, so that no step, from the name lookup to the last byte, can take
longer than the limits allow. The file is long because opening a connection, its limits, its errors
and its next attempt belong together.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import http.client
import netrc
import os
import queue
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import IO, BinaryIO, Generator, Iterable, Iterator, NamedTuple

from inseam.formats.numbers import whole_number

SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TIMEOUT = 60.0  # seconds without a byte
SLOWEST = 10_000  # bytes per second that a server must send on average
LARGEST = 8 << 30  # largest file in bytes if its size is not known
ATTEMPTS = 4  # attempts per URL
FIRST_DELAY = 0.5  # seconds before the second attempt; doubled for each further one
LONGEST_DELAY = 60.0  # seconds that a server may ask to wait before the next attempt
COPY_SIZE = 1 << 18


class Gone(Exception):
    """No server has the file (HTTP 404 or 410)."""


class Corrupt(Exception):
    """A server serves a file with the wrong size or hash."""


class TooLarge(Corrupt):
    """A server sends more bytes than the limit for files of unknown size."""


class Unreachable(Exception):
    """A server cannot be reached, or the connection broke. `transient` means that trying again may
    help, after `delay` seconds if the server says so.
    """

    def __init__(self, text: str, transient: bool = True, delay: float = 0.0) -> None:
        super().__init__(text)
        self.transient = transient
        self.delay = delay


@dataclass
class _Failures:
    """Why each URL failed, by kind."""

    gone: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)

    def error(self) -> Exception:
        if self.corrupt:
            return Corrupt("\n".join(self.corrupt))
        if self.too_large:
            return TooLarge("\n".join(self.too_large))
        if self.unreachable:
            return Unreachable("\n".join(self.unreachable + self.gone))
        return Gone("\n".join(self.gone))


def download(
    urls: Iterable[str],
    out: BinaryIO,
    *,
    size: int | None = None,
    sha256: str | None = None,
    largest: int = LARGEST,
) -> None:
    """Writes the file that one of `urls` serves to `out`, which must be seekable.

    size, sha256: the expected size in bytes and the hash in hexadecimal; None accepts any. largest:
    the limit in bytes if the size is not known.

    Raises Corrupt, TooLarge, Gone or Unreachable, with one line per URL, if no URL serves the
    expected file. The content of `out` is then undefined.
    """
    failures = _Failures()
    for url in urls:
        delay = FIRST_DELAY
        for attempt in range(ATTEMPTS):
            try:
                _download_once(url, out, size, sha256, largest if size is None else size)
                return
            except Gone:
                failures.gone.append(f"{_shown(url)}: not there")
                break
            except TooLarge as error:
                failures.too_large.append(f"{_shown(url)}: {error}")
                break
            except Corrupt as error:
                failures.corrupt.append(f"{_shown(url)}: {error}")
                break
            except Unreachable as error:
                if not error.transient or attempt + 1 == ATTEMPTS:
                    failures.unreachable.append(f"{_shown(url)}: {error}")
                    break
                time.sleep(max(delay, error.delay))
                delay *= 2
    raise failures.error()


def _shown(url: str) -> str:
    """The URL without a password."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return repr(url.rpartition("@")[2])
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _download_once(
    url: str, out: BinaryIO, size: int | None, sha256: str | None, largest: int
) -> None:
    out.seek(0)
    out.truncate()
    digest = hashlib.sha256()
    received = 0
    for piece in _in_time(_pieces(url, size, largest)):
        received += len(piece)
        digest.update(piece)
        out.write(piece)
    if size is not None and received != size:
        raise Corrupt(f"expected {size} bytes, got {received}")
    if sha256 is not None and digest.hexdigest() != sha256:
        raise Corrupt(f"expected sha256 {sha256}, got {digest.hexdigest()}")


class _End(NamedTuple):
    """The thread's last message: what went wrong, if anything."""

    error: BaseException | None = None


def _in_time(pieces: Generator[bytes, None, None]) -> Iterator[bytes]:
    """Yields the pieces that a thread downloads; raises Unreachable if they are too slow overall.

    The thread is then abandoned; it stops at its next piece, or with the process.
    """
    got: queue.Queue[bytes | _End] = queue.Queue(maxsize=16)
    left = threading.Event()

    def put(item: bytes | _End) -> bool:
        while not left.is_set():
            try:
                got.put(item, timeout=0.5)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            if all(map(put, pieces)):
                put(_End())
        except BaseException as error:
            put(_End(error))
        finally:
            pieces.close()  # this also closes the connection

    threading.Thread(target=read, daemon=True).start()
    received = 0
    start = time.monotonic()
    try:
        while True:
            allowed = TIMEOUT + received / SLOWEST - (time.monotonic() - start)
            try:
                piece = got.get(timeout=max(0.0, allowed))
            except queue.Empty:
                waited = time.monotonic() - start
                raise Unreachable(
                    f"too slow: {received} bytes in {waited:.0f} s", transient=False
                ) from None
            if isinstance(piece, _End):
                if piece.error is not None:
                    raise piece.error
                return
            received += len(piece)
            yield piece
    finally:
        left.set()


def _pieces(url: str, size: int | None, largest: int) -> Generator[bytes, None, None]:
    """Yields the content of the URL, at most `largest` bytes."""
    received = 0
    try:
        with _open(url) as response:
            announced = _announced(response)
            if announced is not None and announced > largest:
                raise _too_large(size, largest)
            # One read from the socket at a time; `read` would wait for everything.
            while piece := response.read1(COPY_SIZE):  # type: ignore[attr-defined]
                received += len(piece)
                if received > largest:
                    raise _too_large(size, largest)
                yield piece
    except urllib.error.HTTPError as error:
        raise _status_error(error) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError) or url.startswith("file:"):
            raise Gone() from None
        raise Unreachable(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from None
    except ValueError as error:  # a malformed URL, either ours or one to which a server redirects
        raise Unreachable(f"a malformed address: {error}", transient=False) from None
    if announced is not None and received < announced:
        raise Unreachable(f"the connection broke off after {received} of {announced} bytes")


def _announced(response: IO[bytes]) -> int | None:
    text: str | None = response.headers.get("Content-Length")  # type: ignore[attr-defined]
    return whole_number(text or "")


def _too_large(size: int | None, largest: int) -> Corrupt:
    if size is not None:
        return Corrupt(f"expected {size} bytes, got more")
    return TooLarge(f"expected at most {largest} bytes, got more")


def _status_error(error: urllib.error.HTTPError) -> Exception:
    if error.code in (404, 410):
        return Gone()
    text = f"HTTP status {error.code} {error.reason}"
    transient = error.code in (408, 429) or error.code >= 500
    delay = _retry_after(error.headers.get("Retry-After") or "")
    if transient and delay > LONGEST_DELAY:
        return Unreachable(f"{text}; the server asks to wait for {delay:.0f} s", transient=False)
    return Unreachable(text, transient, delay)


def _retry_after(text: str) -> float:
    """Seconds (RFC 9110, 10.2.3); 0 for an invalid value."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but sends credentials only to the server that they belong to."""

    def redirect_request(  # noqa: PLR0913
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and _origin(newurl) != _origin(req.full_url):
            request.remove_header("Authorization")
        return request


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower()


def exists(url: str) -> bool:
    """Whether a server has a file, without fetching it; raises Unreachable if that is unknown."""
    delay = FIRST_DELAY
    for attempt in range(ATTEMPTS):
        try:
            found = _exists(url, "HEAD")
            return _exists(url, "GET") is True if found is None else found
        except Unreachable as error:
            if not error.transient or attempt + 1 == ATTEMPTS:
                raise Unreachable(f"{_shown(url)}: {error}", error.transient) from None
            time.sleep(max(delay, error.delay))
            delay *= 2
    raise AssertionError


def _exists(url: str, method: str) -> bool | None:
    """None if the server does not support such requests."""
    try:
        with _open(url, method):
            return True
    except urllib.error.HTTPError as error:
        if method == "HEAD" and error.code in (403, 405, 501):
            return None
        failure = _status_error(error)
        if isinstance(failure, Gone):
            return False
        raise failure from None
    except urllib.error.URLError as error:
        if url.startswith("file:"):
            return False
        raise Unreachable(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from None
    except ValueError as error:
        raise Unreachable(f"a malformed address: {error}", transient=False) from None


def _open(url: str, method: str = "GET") -> IO[bytes]:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https", "file"):
        raise ValueError("it does not start with https://, http:// or file:")
    request = urllib.request.Request(
        url, headers={"User-Agent": "inseam", **_credentials(url)}, method=method
    )
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if not url.startswith("file:"):
        context = ssl.create_default_context()
        if os.path.exists(SYSTEM_CERTIFICATES) and "SSL_CERT_FILE" not in os.environ:
            context.load_verify_locations(SYSTEM_CERTIFICATES)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    response: IO[bytes] = opener.open(request, timeout=TIMEOUT)
    return response


def _credentials(url: str) -> dict[str, str]:
    """The Authorization header that ~/.netrc has for the URL's host, if any."""
    host = urllib.parse.urlsplit(url).hostname
    try:
        found = netrc.netrc().authenticators(host) if host and url.startswith("https:") else None
    except (OSError, netrc.NetrcParseError):
        return {}
    if not found:
        return {}
    token = base64.b64encode(f"{found[0]}:{found[2]}".encode()).decode()
    return {"Authorization": f"Basic {token}"}
