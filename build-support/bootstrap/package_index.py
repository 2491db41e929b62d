"""Determines from pip's settings where the files of the Python package index are.

Writes a file of two lines: the files' host and the path before `/packages/`, as "host" or
"host/path"; and the URL of the index, empty if it is pip's default.
"""

from __future__ import annotations

import ast
import base64
import html.parser
import os
import re
import ssl
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urljoin, urlsplit

from bootstrap.cache import fail, say
from bootstrap.pip_runner import python_with_pip

# A distribution that every index has, with a short page.
SMALL_PROJECT = "ansicolors"
LONGEST_PAGE = 10_000_000  # bytes

# The layout of the files on the default index, and on mirrors that keep its paths.
FILE_URL = re.compile(
    r"https?://(?:[^@/]*@)?(?P<prefix>.+)/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/]+$"
)


def pip_settings(python: Path) -> Mapping[str, str]:
    """The settings of `pip install`, by name; the most specific place wins."""
    listed = subprocess.run(
        [str(python), "-E", "-s", "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        check=True,
    ).stdout
    settings: dict[str, str] = {}
    for place in ("global", "install", ":env:"):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(f"{place}."):
                settings[key[len(place) + 1 :]] = str(ast.literal_eval(value))
    return settings


def pip_defaults(python: Path) -> tuple[str, str]:
    """The URL of the default index and the host of its files, which are built into pip."""
    program = (
        "from pip._internal.models.index import PyPI; print(PyPI.simple_url);"
        "print(PyPI.file_storage_domain)"
    )
    url, host = subprocess.run(
        [str(python), "-E", "-s", "-c", program],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout.split()
    return url, host


class Links(html.parser.HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value for name, value in attrs if tag == "a" and name == "href" and value]


def files_prefix(page_url: str, page: str) -> str | None:
    """The host and path before `/packages/` of the files that an index page links to."""
    links = Links()
    links.feed(page)
    for target in links.targets:
        match = FILE_URL.match(urljoin(page_url, target).partition("#")[0])
        if match:
            return match["prefix"]
    return None


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects; sends credentials only to the server that they are configured for."""

    def redirect_request(  # noqa: PLR0913
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and origin(newurl) != origin(req.full_url):
            request.remove_header("Authorization")
        return request


def origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower()


def fetch(url: str, settings: Mapping[str, str]) -> tuple[str, str]:
    """Fetches a page with pip's certificates and proxy, and the URL's credentials.

    Returns the URL after redirects, and the text.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=settings.get("cert"))
    if parts.hostname in settings.get("trusted-host", "").split():
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    handlers: list[urllib.request.BaseHandler] = [
        Redirects(),
        urllib.request.HTTPSHandler(context=context),
    ]
    if "proxy" in settings:
        proxies = {"http": settings["proxy"], "https": settings["proxy"]}
        handlers.append(urllib.request.ProxyHandler(proxies))
    request = urllib.request.Request(url, headers={"Accept": "text/html"})
    if parts.username is not None:
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        request = urllib.request.Request(plain, headers={"Accept": "text/html"})
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        encoded = base64.b64encode(secret.encode()).decode()
        request.add_header("Authorization", f"Basic {encoded}")
    with urllib.request.build_opener(*handlers).open(request, timeout=10) as response:
        return response.geturl(), response.read(LONGEST_PAGE).decode("utf-8", "replace")


def main(entry: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        python = python_with_pip(Path(scratch))
        settings = pip_settings(python)
        default_url, default_host = pip_defaults(python)
    index = settings.get("index-url", default_url).rstrip("/")
    if index == default_url.rstrip("/"):
        prefix: str | None = default_host
        index = ""
    else:
        try:
            prefix = files_prefix(*fetch(f"{index}/{SMALL_PROJECT}/", settings))
        except (OSError, HTTPException, ValueError) as error:
            place = index.rpartition("@")[2]  # without a password
            fail(
                f"cannot determine where the package index at {place} has its files ({error})."
                " Check the network and pip's settings (pip config list), then run the same command"
                " again."
            )
        if prefix is None:
            fail(
                f"the package index at {urlsplit(index).hostname} does not use the usual paths"
                " for its files (/packages/ab/cd/...), so the URLs in the locks cannot be mapped to"
                " it. Set PANTS_PYTHON_REPOS_PATH_MAPPINGS='[\"INDEX|/HOST\"]' to a host that does."
            )
        if urlsplit(index).scheme != "https":
            say("the package index does not use https, but URLs in locks do: downloads may fail.")
    entry.parent.mkdir(parents=True, exist_ok=True)
    made = entry.parent / f".{entry.name}.{os.getpid()}.{os.urandom(8).hex()}"
    made.touch(0o600, exist_ok=False)
    made.write_text(f"{prefix}\n{index}\n")
    made.replace(entry)
