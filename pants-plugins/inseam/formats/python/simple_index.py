"""Finds a file in a package index by its name (PEP 503, "Simple Repository API").

A lock that names no index has no URLs. The hash of a file says whether it is the right one, so any
index that has a file of that name will do.
"""

from __future__ import annotations

import html.parser
from io import BytesIO
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from inseam.formats.download import Gone, download

# Bytes of a page: the largest projects have pages of a few megabytes.
_LARGEST_PAGE = 64_000_000


def file_url(index: str, project: str, filename: str) -> str:
    """The URL of a project's file. index: URL; project: canonical name.

    Raises Gone if the index does not have it, and what `download` raises for its page.
    """
    page = f"{index.rstrip('/')}/{project}/"
    content = BytesIO()
    download([page], content, largest=_LARGEST_PAGE)
    links = _Links()
    links.feed(content.getvalue().decode("utf-8", "replace"))
    for target in links.targets:
        url = urldefrag(urljoin(page, target))[0]
        if unquote(urlsplit(url).path).rpartition("/")[2] == filename:
            return url
    raise Gone(f"{filename} is not on the page of {project}")


class _Links(html.parser.HTMLParser):
    """Collects the targets of a page's links."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.targets += [value for name, value in attrs if tag == "a" and name == "href" and value]
