"""The error that users have to act on, whose text contains no credentials."""

from __future__ import annotations

import errno
import re
from contextlib import contextmanager
from typing import ClassVar, Iterator, TypeVar

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Text that may contain a URL: anything without white space, quotes or brackets.
_WORD = re.compile(r"""[^\s'"`<>]+""")
_HIDDEN = "..."
_Self = TypeVar("_Self", bound="Failure")


class Failure(Exception):
    """Something that the user has to fix. The text says what, and nothing else is printed.

    Callers distinguish failures by the type or an attribute of a subclass, never by the text.
    """

    exit_code: ClassVar[int] = 1
    """The exit code of a program that raises it."""

    def __init__(self, text: str) -> None:
        super().__init__(without_credentials(text))

    def with_text(self: _Self, text: str) -> _Self:
        """The same failure, with its type and attributes, but another text."""
        # A copy, because Pants raises the same object in each rule that waits for the result.
        again = type(self).__new__(type(self))
        again.__dict__.update(self.__dict__)
        Failure.__init__(again, text)
        return again


@contextmanager
def failing_in(place: object, hint: str = "") -> Iterator[None]:
    """Prefixes each Failure that is raised in the block with the place of the error, such as the
    address of a target, and appends a hint, if there is one, on a new line.
    """
    try:
        yield
    except Failure as error:
        text = f"{place}: {error}"
        raise error.with_text(f"{text}\n{hint}" if hint else text) from error


def no_space(error: BaseException) -> bool:
    """Whether an error means that the disk is full or a quota is used up, not that input is bad."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def without_credentials(text: str) -> str:
    """The text without the user, password and query of each URL in it, and without anything before
    the host of an image name; takes time proportional to the text's length.

    Digests (`name@sha256:...`) and revisions (`git+https://host/path@main`) stay.
    """
    return _WORD.sub(_without_credentials, text)


def _without_credentials(match: re.Match[str]) -> str:
    first, *rest = match[0].split("//")
    if not rest:
        return _without_user(first)
    # Without a scheme, `//docker:base` is the address of a target.
    schemes = [part.endswith(":") for part in (first, *rest)]
    shown = (_after_slashes(part) if url else part for part, url in zip(rest, schemes))
    return "//".join([first, *shown])


def _after_slashes(text: str) -> str:
    """The part of a URL after `//`, without its user and its query."""
    end = min((at for at in map(text.find, "/?#") if at >= 0), default=len(text))
    host, path = text[:end], text[end:]
    user, at, host = host.rpartition("@")
    if at:
        host = f"{_HIDDEN}@{host}"
    elif not _is_port(host):
        # A password that contains a slash, or whose end was cut off.
        host, path = f"{_HIDDEN}@", path.rpartition("@")[2] if "@" in path else ""
    before, question, after = path.partition("?")
    return host + before + (f"?{_HIDDEN}{_fragment(after)}" if question else "")


def _is_port(host: str) -> bool:
    """Whether the text after a host's colon, if any, is a port or an address."""
    _, colon, port = host.rpartition(":")
    port = port.rstrip(".,;:)]}…")
    return not colon or host.startswith("[") or port.isdigit() or port in ("", "[")


def _fragment(text: str) -> str:
    _, hash_sign, fragment = text.partition("#")
    return hash_sign + fragment


def _without_user(text: str) -> str:
    """A word that is not a URL, without `user:password@` at its beginning."""
    before, at, host = text.rpartition("@")
    named = host.startswith("sha256:") or "=" in host  # a digest, a target's parameters
    if not at or named or ":" not in before.partition("/")[0]:
        return text
    return f"{_HIDDEN}@{host}"
