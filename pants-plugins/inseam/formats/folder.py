"""Unpacks untrusted archives to a folder, without following links that they created.

Each part of a path is opened separately, relative to its parent, and must not be a link
(O_NOFOLLOW, open(2)). So no order of members and no chain of links leads out of the folder.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.regular import open_regular
from inseam.formats.tar import COPY_SIZE, EXECUTABLE_MODE, FILE_MODE, LONGEST_NAME, LONGEST_PATH

_STEP = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40  # number of links in one path, as in path_resolution(7)
_LONGEST_TARGET = 4095


@dataclass(frozen=True)
class Bounds:
    """How much may be written to a folder."""

    size: int = 4_000_000_000
    """Total size of all files in bytes."""
    members: int = 200_000
    option: str = ""
    """Tells users, in errors, how to raise the limits."""


class Readable(Protocol):
    """A stream from which the content of a file is read."""

    def read(self, size: int = ..., /) -> bytes: ...


class Folder:
    """A folder to which the members of an archive are written.

    Methods take paths relative to it. They raise Failure, naming the path, if the path leads out of
    the folder, goes through a link or a file, or already exists, or if a limit is exceeded.
    """

    def __init__(self, path: Path, bounds: Bounds = Bounds()) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._bounds = bounds
        self._size = self._members = 0
        self._links: dict[str, str] = {}
        self._top = os.open(path, _STEP)
        # Neighbouring members are often in the same folder, so it is kept open.
        self._last: tuple[tuple[str, ...], int] = ((), self._top)

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._leave()
        os.close(self._top)

    def add_folder(self, path: str) -> None:
        """Creates a folder and its parents, if they do not exist."""
        self._count(path)
        self._open(_parts(path), path)

    def add_file(self, path: str, content: Readable, *, executable: bool, size: int = 0) -> None:
        """Writes a new file. size: its minimum size in bytes, if that is known."""
        self._count(path)
        self._check_size(size)
        *above, name = _named(path)
        mode = EXECUTABLE_MODE if executable else FILE_MODE
        try:
            file = os.open(name, _NEW, mode, dir_fd=self._open(tuple(above), path))
        except OSError as error:
            raise _refused(path, error) from None
        with open(file, "wb") as out:
            os.fchmod(file, mode)
            while piece := content.read(COPY_SIZE):
                self._check_size(len(piece))
                self._size += len(piece)
                out.write(piece)

    def add_copy(self, path: str, of: str) -> None:
        """Copies an existing file, for a hard link in the archive."""
        *above, name = _named(of)
        try:
            source = open_regular(name, dir_fd=self._open(tuple(above), of))
        except OSError as error:
            raise _refused(of, error) from None
        with source:
            known = os.fstat(source.fileno())
            executable = bool(known.st_mode & 0o111)
            self.add_file(path, source, executable=executable, size=known.st_size)

    def add_link(self, path: str, target: str) -> None:
        """Creates a symbolic link to any target; `check_links` checks where it leads."""
        self._count(path)
        *above, name = _named(path)
        if not target or "\0" in target or len(os.fsencode(target)) > _LONGEST_TARGET:
            raise Failure(f"{foreign_word(path)} is a link to {foreign_word(target, width=80)}")
        try:
            os.symlink(target, name, dir_fd=self._open(tuple(above), path))
        except OSError as error:
            raise _refused(path, error) from None
        self._links["/".join((*above, name))] = target

    def check_links(self) -> None:
        """Raises Failure if a link leads out of the folder, even indirectly, or in a circle."""
        for path, target in self._links.items():
            if target.startswith("/") or not self._stays(path):
                raise Failure(
                    f"it has the link {foreign_word(path)} to {foreign_word(target)}, which leads"
                    " out of it"
                )

    def _stays(self, path: str) -> bool:
        left, done, followed = path.split("/")[::-1], [""][:0], 0
        while left:
            part = left.pop()
            if part == "..":
                if not done:
                    return False
                done.pop()
            elif part not in ("", "."):
                target = self._links.get("/".join((*done, part)))
                if target is None:
                    done.append(part)
                    continue
                followed += 1
                if target.startswith("/") or followed > _MOST_LINKS:
                    return False
                left += target.split("/")[::-1]
        return True

    def _open(self, parts: tuple[str, ...], path: str) -> int:
        """The descriptor of a folder, which is created if it does not exist."""
        if parts == self._last[0]:
            return self._last[1]
        self._leave()
        at = os.dup(self._top)
        try:
            for part in parts:
                try:
                    below = os.open(part, _STEP, dir_fd=at)
                except FileNotFoundError:
                    os.mkdir(part, 0o755, dir_fd=at)
                    below = os.open(part, _STEP, dir_fd=at)
                os.close(at)
                at = below
        except OSError as error:
            os.close(at)
            raise _refused(path, error) from None
        self._last = (parts, at)
        return at

    def _leave(self) -> None:
        if self._last[1] != self._top:
            os.close(self._last[1])
        self._last = ((), self._top)

    def _count(self, path: str) -> None:
        self._members += 1
        if self._members > self._bounds.members:
            raise Failure(f"it has more than {self._bounds.members} members{self._bounds.option}")

    def _check_size(self, more: int) -> None:
        if self._size + more > self._bounds.size:
            raise Failure(f"it unpacks to more than {self._bounds.size} bytes{self._bounds.option}")


def _parts(path: str) -> tuple[str, ...]:
    encoded = os.fsencode(path)
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if path.startswith("/") or ".." in parts:
        raise Failure(f"it has the member {foreign_word(path)}, which leads out of it")
    if (
        b"\0" in encoded
        or len(encoded) > LONGEST_PATH
        or any(len(part) > LONGEST_NAME for part in encoded.split(b"/"))
    ):
        raise Failure(
            f"it has a member whose name is not one of a file: {foreign_word(path, width=80)}"
        )
    return parts


def _named(path: str) -> tuple[str, ...]:
    parts = _parts(path)
    if not parts:
        raise Failure("it has a member without a name")
    return parts


def _refused(path: str, error: OSError) -> Exception:
    """Why a member could not be written; errors of this machine are raised unchanged."""
    reasons = {
        errno.ELOOP: "goes through a link",
        errno.ENOTDIR: "goes through a link or a file",
        errno.EEXIST: "is there twice",
        errno.ENOENT: "is a hard link to a file that does not exist",
    }
    reason = reasons.get(error.errno or 0)
    return Failure(f"its member {foreign_word(path)} {reason}") if reason else error
