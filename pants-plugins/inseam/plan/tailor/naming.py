"""Names programs, services and the repositories of their images."""

from __future__ import annotations

import re
from collections import Counter
from typing import Collection, Iterable

from inseam.plan.packaging import TAKEN

# Folder names that say nothing about the content.
_SAY_NOTHING = {
    *("api", "app", "apps", "backend", "bin", "cli", "cmd", "code", "container", "core", "deploy"),
    *("docker", "http", "image", "images", "lib", "libs", "main", "package", "project", "py"),
    *("python", "python3", "run", "runtime", "server", "service", "services", "source", "src"),
    *("web", "worker", "workers"),
}


def address_of(folder: str, name: str) -> str:
    """The address of a target; at the root, "//:name"."""
    return f"{folder or '//'}:{name}"


def program_names(names: Iterable[tuple[str, bool]]) -> list[str]:
    """Valid names of programs, from the given names, each with whether the program has a server."""
    found: list[str] = []
    for given, is_server in names:
        name = re.sub(r"[^a-z0-9_-]+", "-", given.lower()).strip("-_")
        if not name or name in TAKEN:
            name = "web" if is_server else f"{name or 'program'}-program"
        number = 1
        while (name if number == 1 else f"{name}{number}") in found:
            number += 1
        found.append(name if number == 1 else f"{name}{number}")
    return found


def repositories(
    folders: Collection[str], others: Collection[str], taken: Collection[str]
) -> dict[str, str]:
    """The repositories of services whose folder names are taken or say nothing, by folder.

    folders: those of the services. others: those of existing services. taken: repositories of other
    images.
    """
    ends: Counter[tuple[str, ...]] = Counter()
    for folder in [*folders, *others]:
        parts = folder.split("/")
        ends.update(tuple(parts[-length:]) for length in range(1, min(len(parts), 20) + 1))
    found = {}
    for folder in folders:
        parts = folder.split("/") if folder else []
        unique = [
            parts[-length:]
            for length in range(1, min(len(parts), 20) + 1)
            if ends[tuple(parts[-length:])] == 1 and _joined(parts[-length:]) not in taken
        ]
        said = [one for one in unique if not _SAY_NOTHING.issuperset(map(str.lower, one))]
        best = next(iter(said or unique), [])
        if parts and not best:
            found[folder] = f"{_joined(parts)}-service"
        elif len(best) > 1:
            found[folder] = _joined(best)
    return found


def _joined(parts: list[str]) -> str:
    return re.sub(r"[^a-z0-9._-]+|(?<=[._-])[._-]+", "-", "-".join(parts).lower()).strip("._-")
