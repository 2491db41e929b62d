"""Opens files that others wrote, if they are files."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word


def open_regular(path: str | Path, *, dir_fd: int | None = None) -> BinaryIO:
    """Opens for reading what others wrote: a regular file, not a link to one, and without waiting.

    Raises Failure for anything else, and OSError as `open` does.
    """
    shown = foreign_word(os.path.basename(path))
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        # A link, and a socket.
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise Failure(f"{shown} is not a regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Failure(f"{shown} is not a regular file")
    return os.fdopen(file, "rb")
