"""Takes the results that a build left in its folder, after checking them."""

from __future__ import annotations

import json
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from inseam.formats.failure import Failure
from inseam.formats.files import whole
from inseam.formats.foreign_text import foreign_text, foreign_word
from inseam.formats.limits import Limits, named
from inseam.formats.python.frontend import REQUIRES
from inseam.formats.regular import open_regular
from inseam.formats.tar import COPY_SIZE

_WHEEL = re.compile(r"[A-Za-z0-9_.+!-]{1,240}\.whl")
_LARGEST_REQUIRES = 1_000_000  # bytes
_LONGEST_REQUIREMENT = 2000


def take_requirements(made: Path, limits: Limits) -> list[str] | None:
    """The requirements that a build left in the folder `made` instead of a wheel; None if there are
    none. Raises Failure unless they are a short list of short texts.
    """
    with _opened(made) as folder:
        try:
            file = open_regular(REQUIRES, dir_fd=folder)
        except FileNotFoundError:
            return None
        with file:
            text = file.read(_LARGEST_REQUIRES + 1)
    try:
        found = json.loads(text) if len(text) <= _LARGEST_REQUIRES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(
        isinstance(item, str) and len(item) <= _LONGEST_REQUIREMENT and item.isprintable()
        for item in found
    ):
        raise Failure(
            f"the build left a {REQUIRES} that is not a list of requirements:\n"
            f"{foreign_text(text[:2000], lines=5)}"
        )
    if len(found) > limits.requirements:
        raise Failure(
            f"the build has {len(found)} requirements, more than {limits.requirements}"
            f" {named('requirements')}"
        )
    return sorted(set(found))


def take_wheel(made: Path, out: Path, limits: Limits) -> Path:
    """Copies the one wheel that a build left in the folder `made` to the folder `out`, and returns
    its path. Raises Failure if it is not one regular file with the name of a wheel."""
    with _opened(made) as folder:
        names = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".whl"):
                    names.append(entry.name)
                if len(names) > 1:
                    break
        if len(names) != 1:
            raise Failure(f"the build made {'no wheel' if not names else 'several wheels'}")
        (name,) = names
        if not _WHEEL.fullmatch(name):
            raise Failure(f"the build made {foreign_word(name)}, which is not the name of a wheel")
        with open_regular(name, dir_fd=folder) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limits.wheel:
                raise Failure(f"the build made a wheel of {size} bytes {named('wheel')}")
            with whole(out / name) as copy:
                while piece := file.read(COPY_SIZE):
                    copy.write(piece)
    return out / name


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Failure(f"the build replaced its folder for results: {error.strerror}") from None
    try:
        yield found
    finally:
        os.close(found)
