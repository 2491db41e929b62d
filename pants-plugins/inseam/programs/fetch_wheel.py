"""Fetches one locked wheel.

Usage: fetch_wheel URL SHA256 OUT [LARGEST]

OUT, a file, appears only once its sha256 is right; it may have LARGEST bytes. Credentials for the
index come from ~/.netrc, proxies from http_proxy and its like.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.download import LARGEST, Corrupt, Gone, TooLarge, Unreachable, download
from inseam.formats.failure import Failure
from inseam.formats.files import whole


def main(argv: list[str]) -> None:
    """See the module's text."""
    url, sha256, out, *largest = argv
    path = Path(out)
    try:
        with whole(path) as target:
            download([url], target, sha256=sha256, largest=int(*largest) if largest else LARGEST)
    except TooLarge as error:
        raise Failure(
            f"{path.name} is larger than it may be:\n  {error}\nThe download was ended. If the file"
            " is right, set [inseam].max_download_size to a larger number of bytes."
        ) from None
    except Corrupt as error:
        raise Failure(
            f"{path.name} is not the locked file: {error}\nThe download was discarded. A proxy or a"
            " broken mirror may be the cause. If the index really has a different file now, run"
            " ./pants generate-lockfiles and review the diff."
        ) from None
    except Gone as error:
        raise Failure(
            f"{path.name} is no longer at the URL in the lock:\n  {error}\nGenerate the lock again:"
            " ./pants generate-lockfiles"
        ) from None
    except Unreachable as error:
        raise Failure(
            f"{path.name} could not be fetched:\n  {error}\nCheck the network and the proxy"
            " settings. Credentials for an index are read from ~/.netrc."
        ) from None
