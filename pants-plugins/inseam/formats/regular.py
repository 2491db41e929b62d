"""Opens untrusted files, if they are regular files."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word


def open_regular(path: str | Path, *, dir_fd: int | None = None, follow: bool = False) -> BinaryIO:
    """Opens an untrusted file for reading, without blocking, if it is a regular file and not a
    link.

    follow: whether it may be a link to one. Raises Failure for anything else, and OSError as `open`
    does.
    """
    shown = foreign_word(os.path.basename(path))
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        file = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        # A link, or a socket.
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise Failure(f"{shown} is not a regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Failure(f"{shown} is not a regular file")
    return os.fdopen(file, "rb")


def read_regular(path: str | Path, largest: int, *, follow: bool = False) -> bytes:
    """The content of such a file; raises Failure as `open_regular` does, or if it is too large."""
    with open_regular(path, follow=follow) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise Failure(f"{foreign_word(os.path.basename(path))} has more than {largest} bytes")
    return content
