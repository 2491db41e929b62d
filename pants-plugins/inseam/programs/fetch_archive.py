"""Fetches an archive with CPython for a base.

Usage: fetch_archive URL SHA256 OUT

The file OUT appears only after its sha256 has been verified. Credentials come from ~/.netrc,
proxies from http_proxy and similar variables.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.download import Gone
from inseam.formats.failure import Failure
from inseam.formats.locked_file import fetch_locked


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    url, sha256, out = argv
    path = Path(out)
    changed = " If the server really has a different file now, correct the sha256 in the base."
    try:
        fetch_locked([url], path, sha256, if_changed=changed)
    except Gone as error:
        raise Failure(
            f"{path.name} is not at the URL that the base names:\n  {error}\nCorrect the URL, or"
            " keep the archive in the repository and give its path."
        ) from None
