"""Fetches one locked wheel.

Usage: fetch_wheel URL SHA256 OUT [LARGEST]

The file OUT appears only after its sha256 has been verified; it may have at most LARGEST bytes.
Credentials for the index come from ~/.netrc, proxies from http_proxy and similar variables.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.download import LARGEST, Gone
from inseam.formats.failure import Failure
from inseam.formats.locked_file import fetch_locked


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    url, sha256, out, *largest = argv
    path = Path(out)
    try:
        fetch_locked(
            [url],
            path,
            sha256,
            largest=int(*largest) if largest else LARGEST,
            if_changed=" If the index really has a different file now, run ./pants"
            " generate-lockfiles and review the diff.",
        )
    except Gone as error:
        raise Failure(
            f"{path.name} is no longer at the URL in the lock:\n  {error}\nGenerate the lock again:"
            " ./pants generate-lockfiles"
        ) from None
