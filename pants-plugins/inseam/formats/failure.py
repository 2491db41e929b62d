"""The error that a person has to act on."""

import errno

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Failure(Exception):
    """Something that the user has to fix; the text says what, and is all that is printed."""


def no_space(error: BaseException) -> bool:
    """Whether it says that the disk is full, or a quota used up: no fault of what was read."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE
