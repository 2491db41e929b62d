"""Fetches one file that a lock names by hash, with an error message for each failure."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable

from inseam.formats.download import LARGEST, Corrupt, TooLarge, Unreachable, download
from inseam.formats.failure import Failure
from inseam.formats.files import whole


def fetch_locked(
    urls: Iterable[str], path: Path, sha256: str, *, largest: int = LARGEST, if_changed: str = ""
) -> None:
    """Writes the file that one of `urls` serves to `path`, once its sha256 has been verified.

    largest: its maximum size in bytes. if_changed: the end of the message if the index has another
    file, which says what to do.

    Raises Gone if no URL has it, and Failure for anything else.
    """
    try:
        with whole(path) as target:
            download(urls, target, sha256=sha256, largest=largest)
    except TooLarge as error:
        raise Failure(
            f"{path.name} is larger than allowed:\n  {error}\nThe download was stopped. If the file"
            " is right, set [inseam].max_download_size to a larger number of bytes."
        ) from None
    except Corrupt as error:
        raise Failure(
            f"{path.name} is not the locked file: {error}\nThe download was discarded. A proxy or a"
            f" broken mirror may be the cause.{if_changed}"
        ) from None
    except Unreachable as error:
        raise not_fetched(path.name, error) from None


def not_fetched(name: str, error: Exception) -> Failure:
    """The error for a file that no server delivered."""
    return Failure(
        f"{name} could not be fetched:\n  {error}\nCheck the network and the proxy settings."
        " Credentials for an index are read from ~/.netrc."
    )
