"""Checks that a root filesystem is complete: links lead somewhere, libraries are there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from inseam.formats.debian.control import DebianError
from inseam.formats.elf import needed
from inseam.formats.tar import Member

MAX_LINKS = 40  # as path_resolution(7)
RUN_TIME = ("dev", "proc", "run", "sys")  # what is below them is there in a container only


def resolve(path: str, members: Mapping[str, Member]) -> str | None:
    """Where a path leads inside the image, all links followed; None for a ring of links.

    The result need not exist.
    """
    left = [part for part in path.split("/") if part and part != "."]
    done: list[str] = []
    links = 0
    while left:
        part = left.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        member = members.get("/".join([*done, part]))
        if member is None or member.link is None:
            done.append(part)
            continue
        links += 1
        if links > MAX_LINKS:
            return None
        if member.link.startswith("/"):
            done = []
        left = [step for step in member.link.split("/") if step and step != "."] + left
    return "/".join(done)


def _with_parents(paths: Iterable[str]) -> set[str]:
    found = set()
    for path in paths:
        while path and path not in found:
            found.add(path)
            path = posixpath.dirname(path)
    return found


def by_path(members: Iterable[Member]) -> dict[str, Member]:
    return {member.path: member for member in members}


def without_dead_links(members: Sequence[Member], dropped: set[str]) -> list[Member]:
    """Leaves out links to what was dropped; raises DebianError for others that lead nowhere."""
    files = by_path(members)
    there = _with_parents(files)
    gone = _with_parents(dropped) - there
    kept = []
    for member in members:
        if member.link is not None:
            target = resolve(member.path, files)
            at_run_time = target is not None and target.split("/")[0] in RUN_TIME
            if target is None or not (target in there or target in gone or at_run_time):
                raise DebianError(
                    f"{member.owner} has the link /{member.path} to {member.link}, which does"
                    " not exist; add the package that contains it to the list of packages"
                )
            if target in gone:
                continue
        kept.append(member)
    return kept


def check_libraries(members: Sequence[Member]) -> None:
    """Raises DebianError if a program or library needs a library that is not in the image."""
    files = by_path(members)
    names = {posixpath.basename(path) for path in files}
    for member in sorted(members, key=lambda member: member.path):
        if member.link is not None or not isinstance(member.content, bytes):
            continue
        try:
            libraries = needed(member.content)
        except ValueError as error:
            raise DebianError(
                f"{member.owner} contains a damaged /{member.path}: {error}"
            ) from None
        for library in libraries:
            if library.startswith("/"):
                there = resolve(library, files) in files
            else:
                there = library in names
            if not there:
                raise DebianError(
                    f"/{member.path} of {member.owner} needs {library}, which is not in the image;"
                    " remove the package that contains it from [omit], or add it to a group, in"
                    " the list of packages"
                )
