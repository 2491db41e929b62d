"""Writes output files whole or not at all, and reads JSON files."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Mapping

from inseam.formats.failure import Failure


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for writing that appears under `path` only when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as out:
            yield out
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Writes `data` to `path`, whole or not at all."""
    with whole(path) as out:
        out.write(data)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files, by path in the folder, each whole or not at all."""
    for path, content in files.items():
        write_whole(folder / path, content)


def read_json(path: Path) -> Any:
    """Reads a JSON file; raises Failure if it is missing or is not JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Failure(f"{path} is damaged, it does not hold JSON: {error}") from None
