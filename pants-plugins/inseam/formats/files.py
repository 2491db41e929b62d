"""Writes output files completely or not at all, and reads JSON files."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Mapping

from inseam.formats.failure import Failure
from inseam.formats.regular import read_regular

LARGEST_JSON = 32 << 20  # largest JSON file in bytes; the largest that Inseam writes have a few MB
_MOST_DIGITS = 20  # length of a signed 64-bit integer in decimal


def temporary_name(path: Path) -> Path:
    """A new name next to `path`, for a file that will be moved there.

    It cannot be guessed, and it names the process that uses it (`store` removes files that dead
    processes left).
    """
    return path.with_name(f".{path.name[:50]}.{os.getpid()}.{os.urandom(8).hex()}")


@contextmanager
def whole(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears at `path` only if the block succeeds.

    durable: whether its content is flushed to disk before its name, for files that outlive a run.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        with open(temporary, "xb") as out:  # "x" does not follow a link
            yield out
            if durable:
                out.flush()
                os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Writes `data` to `path`, completely or not at all; `durable` as for `whole`."""
    with whole(path, durable=durable) as out:
        out.write(data)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files, by path in the folder, each completely or not at all."""
    for path, content in files.items():
        write_whole(folder / path, content)


def read_json(path: Path) -> Any:
    """Reads a JSON file; raises Failure if it is missing, is not JSON or is not a file."""
    try:
        text = read_regular(path, LARGEST_JSON, follow=True)
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    except Failure as error:
        raise error.with_text(f"{path} cannot be read: {error}") from None
    return parse_json(text, str(path))


def parse_json(text: bytes, what: str) -> Any:
    """The value of a JSON text; raises Failure, naming `what`, for one that is not JSON."""
    try:
        return load_json(text)
    except ValueError as error:
        raise Failure(f"{what} is damaged: it is not JSON ({error}).") from None


def load_json(text: str | bytes) -> Any:
    """The value of a JSON text (RFC 8259); raises ValueError for any other text, and for JSON that
    is nested too deeply or has a number of more than 19 digits.
    """
    try:
        return json.loads(text, parse_int=_integer, parse_constant=_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> int:
    # Parsing thousands of digits takes more than linear time.
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _constant(name: str) -> float:
    raise ValueError(f"it has {name}, which is not a number")
