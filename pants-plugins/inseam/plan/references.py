"""Says which names an image has."""

from __future__ import annotations

import posixpath
from typing import Iterable


def references(
    spec_path: str,
    name: str,
    *,
    repository: str,
    default_repository: str,
    registries: Iterable[str],
    tags: Iterable[str],
) -> tuple[str, ...]:
    """The names, with tags, of the image of the target `name` in the directory `spec_path`.

    repository: may have the placeholders {directory}, {parent_directory}, {name} and
    {default_repository}, as in `docker_image`; so may default_repository, but for the last.
    registries: their addresses; with none the name has no registry.

    Raises KeyError for another placeholder.
    """
    placeholders = {
        "directory": posixpath.basename(spec_path),
        "parent_directory": posixpath.basename(posixpath.dirname(spec_path)),
        "name": name,
    }
    default = default_repository.format_map(placeholders)
    path = repository.format_map({**placeholders, "default_repository": default}).lower()
    prefixes = [f"{registry}/" for registry in registries] or [""]
    return tuple(f"{prefix}{path}:{tag}" for prefix in prefixes for tag in tags)
