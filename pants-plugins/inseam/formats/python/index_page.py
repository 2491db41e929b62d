"""Reads the page of a project in a package index: simple repository API (PEP 503, PEP 691)."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import Any, Iterable, Iterator, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from inseam.formats.download import Corrupt, Gone, Unreachable, download
from inseam.formats.failure import Failure
from inseam.formats.files import load_json

LARGEST_PAGE = 100 << 20  # bytes
_SHA256 = re.compile(r"[0-9a-f]{64}")
# The start of a comment, or of a tag that is relevant for links (HTML Living Standard, 13.1).
_TAG = re.compile(r"<!--|<(?P<tag>a|base)(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"""[\s/]*(?P<name>[^\s/>=]+)(?:\s*=\s*(?P<value>"[^"]*"|'[^']*'|[^\s>"'][^\s>]*))?"""
)


class IndexFile(NamedTuple):
    """A file of a project."""

    name: str
    url: str
    sha256: str
    """sha256 in hex; "" if the index does not say."""


def index_files(project: str, indexes: Iterable[str]) -> tuple[IndexFile, ...]:
    """The files of a project, by its canonical name, on the indexes, in the order of the indexes.

    Raises Failure if none of the indexes has the project, or one cannot be read.
    """
    found: list[IndexFile] = []
    gone: list[str] = []
    for index in indexes:
        url = page_url(index, project)
        page = io.BytesIO()
        try:
            download([url], page, largest=LARGEST_PAGE)
        except Gone as error:
            gone.append(f"  {error}")
            continue
        except (Corrupt, Unreachable) as error:
            raise Failure(
                f"the package index could not be asked for {project}:\n  {error}\nCheck the network"
                " and [python-repos].indexes. Credentials for an index are read from ~/.netrc."
            ) from None
        found += read_page(page.getvalue(), url)
    if not found:
        asked = "\n".join(gone) or "  there is none in [python-repos].indexes"
        raise Failure(f"no configured package index has {project}:\n{asked}")
    return tuple(found)


def page_url(index: str, project: str) -> str:
    """The URL of a project's page; in an index that is a folder, it is a file."""
    url = f"{index.rstrip('/')}/{project}/"
    return f"{url}index.html" if url.startswith("file:") else url


def read_page(content: bytes, url: str) -> tuple[IndexFile, ...]:
    """The files that a project's page lists; raises Failure for content that is not such a page.

    url: of the page, which its links are relative to.
    """
    try:
        if content.lstrip().startswith(b"{"):
            return tuple(_json_files(load_json(content), url))
        return tuple(_anchors(content.decode("utf-8", "replace"), url))
    except ValueError as error:
        raise Failure(f"what the package index says at {url} cannot be read: {error}") from None


def _json_files(page: Any, base: str) -> Iterable[IndexFile]:
    files = page.get("files")
    if not isinstance(files, list):
        raise ValueError("it has no `files`, a list")
    for number, file in enumerate(files, 1):
        name = file.get("filename") if isinstance(file, dict) else None
        url = file.get("url") if isinstance(file, dict) else None
        if not isinstance(name, str) or not isinstance(url, str):
            raise ValueError(f"file {number} has no `filename` or `url`")
        hashes = file.get("hashes")
        value = hashes.get("sha256") if isinstance(hashes, dict) else None
        yield IndexFile(name, urljoin(base, url), str(value) if _is_sha256(value) else "")


def _is_sha256(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _anchors(text: str, base: str) -> Iterator[IndexFile]:
    """The files to which the anchors of an HTML page lead.

    Each character is read a few times at most; the standard library's parser takes quadratic time
    for a tag that is not closed.
    """
    position = 0
    while match := _TAG.search(text, position):
        position = match.end()
        if match["tag"] is None:  # a comment
            end = text.find("-->", position)
            position = len(text) if end < 0 else end
            continue
        href = None
        while attribute := _ATTRIBUTE.match(text, position):
            position = attribute.end()
            if href is None and attribute["name"].lower() == "href":
                href = unescape((attribute["value"] or "").strip("\"'"))
        if href is None:
            continue
        if match["tag"].lower() == "base":
            base = urljoin(base, href)
            continue
        url, fragment = urldefrag(urljoin(base, href))
        name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        algorithm, _, value = fragment.partition("=")
        if name:
            known = algorithm == "sha256" and _is_sha256(value)
            yield IndexFile(name, url, value if known else "")
