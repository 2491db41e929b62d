"""Follows symbolic links inside an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inseam.formats.tar import Member

MAX_LINKS = 40  # as path_resolution(7)


def by_path(members: Iterable[Member]) -> dict[str, Member]:
    return {member.path: member for member in members}


def resolve(path: str, members: Mapping[str, Member]) -> str | None:
    """The path inside the image to which a path leads through all links; None for circular links.

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
