"""Downloads files that are known by their hash."""

from __future__ import annotations

import base64
import hashlib
import http.client
import netrc
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import urllib.response
from dataclasses import dataclass, field
from typing import BinaryIO, Iterable

SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
TIMEOUT = 60.0  # seconds without a byte
ATTEMPTS = 4  # per URL
FIRST_DELAY = 0.5  # seconds before the second attempt; doubled for each further one
COPY_SIZE = 1 << 18


class Gone(Exception):
    """No server has the file (HTTP 404 and 410)."""


class Corrupt(Exception):
    """A server serves a file of another size or hash than wanted."""


class Unreachable(Exception):
    """A server could not be asked, or broke off; `transient` if asking again may help."""

    def __init__(self, text: str, transient: bool = True) -> None:
        super().__init__(text)
        self.transient = transient


@dataclass
class _Failures:
    """Why each URL failed, by kind."""

    gone: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)

    def error(self) -> Exception:
        if self.corrupt:
            return Corrupt("\n".join(self.corrupt))
        if self.unreachable:
            return Unreachable("\n".join(self.unreachable + self.gone))
        return Gone("\n".join(self.gone))


def download(
    urls: Iterable[str],
    out: BinaryIO,
    *,
    size: int | None = None,
    sha256: str | None = None,
) -> None:
    """Writes the file that one of `urls` serves to `out`, which must be seekable.

    size, sha256: what it must have, in bytes and hexadecimal; None accepts any.

    Raises Corrupt, Gone or Unreachable, with one line a URL, when no URL gave the wanted file.
    `out` then holds rubbish.
    """
    failures = _Failures()
    for url in urls:
        delay = FIRST_DELAY
        for attempt in range(ATTEMPTS):
            try:
                _download_once(url, out, size, sha256)
                return
            except Gone:
                failures.gone.append(f"{_shown(url)}: not there")
                break
            except Corrupt as error:
                failures.corrupt.append(f"{_shown(url)}: {error}")
                break
            except Unreachable as error:
                if not error.transient or attempt + 1 == ATTEMPTS:
                    failures.unreachable.append(f"{_shown(url)}: {error}")
                    break
                time.sleep(delay)
                delay *= 2
    raise failures.error()


def _shown(url: str) -> str:
    """The URL without a password."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _download_once(url: str, out: BinaryIO, size: int | None, sha256: str | None) -> None:
    out.seek(0)
    out.truncate()
    digest = hashlib.sha256()
    received = 0
    try:
        with _open(url) as response:
            announced = response.headers.get("Content-Length")
            while True:
                piece = response.read(COPY_SIZE)
                if not piece:
                    break
                received += len(piece)
                if size is not None and received > size:
                    raise Corrupt(f"expected {size} bytes, got more")
                digest.update(piece)
                out.write(piece)
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise Gone() from None
        transient = error.code in (408, 429) or error.code >= 500
        raise Unreachable(f"HTTP status {error.code} {error.reason}", transient) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError) or url.startswith("file:"):
            raise Gone() from None
        raise Unreachable(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from None
    if announced is not None and announced.isdigit() and received < int(announced):
        raise Unreachable(f"the connection broke off after {received} of {announced} bytes")
    if size is not None and received != size:
        raise Corrupt(f"expected {size} bytes, got {received}")
    if sha256 is not None and digest.hexdigest() != sha256:
        raise Corrupt(f"expected sha256 {sha256}, got {digest.hexdigest()}")


def _open(url: str) -> urllib.response.addinfourl:
    headers = {"User-Agent": "inseam", **_credentials(url)}
    request = urllib.request.Request(url, headers=headers)
    context = None
    if url.startswith("https:"):
        context = ssl.create_default_context()
        if os.path.exists(SYSTEM_CERTIFICATES) and "SSL_CERT_FILE" not in os.environ:
            context.load_verify_locations(SYSTEM_CERTIFICATES)
    response: urllib.response.addinfourl = urllib.request.urlopen(
        request, timeout=TIMEOUT, context=context
    )
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
