"""Computes the names of an image."""

from __future__ import annotations

import posixpath
import re
from typing import Iterable, Mapping, Sequence

from inseam.formats.oci.reference import is_name

# OCI distribution-spec 1.1, "Pulling manifests": <name> and <reference> as a tag.
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


def references(
    spec_path: str,
    name: str,
    *,
    repository: str,
    default_repository: str,
    registries: Iterable[str],
    tags: Sequence[str],
) -> tuple[str, ...]:
    """The names, with tags, of the image of the target `name` in the directory `spec_path`.

    repository: may contain the placeholders {directory}, {parent_directory}, {name} and
    {default_repository}, as in `docker_image`; default_repository may contain the first three. The
    root of the repository has no name, so there {directory} is the name of the target.
    registries: their addresses; if empty, the names have no registry.

    Raises ValueError for other placeholders, and for a name that no registry accepts.
    """
    placeholders = {
        "directory": posixpath.basename(spec_path) or name,
        "parent_directory": posixpath.basename(posixpath.dirname(spec_path)),
        "name": name,
    }
    default = _filled(default_repository, placeholders)
    path = _filled(repository, {**placeholders, "default_repository": default}).lower()
    if not _REPOSITORY.fullmatch(path):
        raise ValueError(
            f"the repository {path!r} is not a valid image name. It may contain lowercase letters"
            " and digits, with separators (. _ __ - /) between them."
        )
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise ValueError(
                f"the tag {tag!r} is not valid. It may contain up to 128 letters, digits and . _ -."
                " Placeholders that take their value from a Dockerfile do not work here; use env()"
                " in the BUILD file instead."
            )
    for registry in (registries := tuple(registries)):
        if not is_name(f"{registry}/{path}"):
            raise ValueError(
                f"the registry {registry!r} is not valid. Write a host, and a port if need be,"
                " without https:// in front, for example registry.example:5000."
            )
    prefixes = [f"{registry}/" for registry in registries] or [""]
    return tuple(f"{prefix}{path}:{tag}" for prefix in prefixes for tag in tags)


def _filled(template: str, placeholders: Mapping[str, str]) -> str:
    try:
        return template.format_map(placeholders)
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in placeholders)
        raise ValueError(
            f"the repository {template!r} contains an unknown placeholder. It may contain {known}."
        ) from error
