"""Writes output files whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterator, Mapping


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
