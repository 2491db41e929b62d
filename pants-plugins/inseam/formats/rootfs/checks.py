"""Checks that a root filesystem is complete: programs and libraries find their libraries."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb import Deb
from inseam.formats.debian.libraries import likely_package, package_names
from inseam.formats.debian.relations import Relation, parse_relations
from inseam.formats.elf import needed
from inseam.formats.rootfs.links import by_path, resolve
from inseam.formats.tar import Member

_LOADED = re.compile(r"usr/lib(/[^/]+-linux-gnu)?\Z")  # the loader's own folders


def _with_parents(paths: Iterable[str]) -> set[str]:
    found = set()
    for path in paths:
        while path and path not in found:
            found.add(path)
            path = posixpath.dirname(path)
    return found


def without_dead_links(members: Sequence[Member], left_out: set[str]) -> list[Member]:
    """Leaves out links to files that were left out.

    Links that are dangling for another reason stay: packages contain such links to files that
    another package or the administrator may add.
    """
    files = by_path(members)
    there = _with_parents(files)
    gone = _with_parents(left_out) - there
    return [
        member
        for member in members
        if member.link is None or resolve(member.path, files) not in gone
    ]


def check_libraries(members: Sequence[Member], debs: Iterable[Deb]) -> None:
    """Raises DebianError if a program or library needs a library in a package that was left out, or
    if a program or a library in the loader's folders needs one that does not exist.

    Plug-ins may need libraries that their packages do not depend on: Debian has such plug-ins.
    """
    files = by_path(members)
    names = {posixpath.basename(path) for path in files}
    owners = {f"Debian package {deb.name} {deb.version}": deb for deb in debs}
    there = {name for deb in owners.values() for name in _names(deb)}
    for member in sorted(members, key=lambda member: member.path):
        for library in libraries(member):
            if library.startswith("/"):
                found = resolve(library, files) in files
            else:
                found = library in names
            if not found:
                _missing(member, library, owners.get(member.owner), there)


def libraries(member: Member) -> tuple[str, ...]:
    """The libraries that a program or library needs; empty for other members."""
    if member.link is not None or not isinstance(member.content, bytes):
        return ()
    try:
        return needed(member.content)
    except ValueError as error:
        raise DebianError(f"{member.owner} contains a damaged /{member.path}: {error}") from None


def _missing(member: Member, library: str, deb: Deb | None, there: set[str]) -> None:
    """Raises DebianError, if appropriate, because a member's library is not in the image."""
    text = f"/{member.path} of {member.owner} needs {library}"
    missing: list[str] = []
    for group in depends(deb) if deb else ():
        if not there.intersection(relation.name for relation in group):
            missing += [relation.name for relation in group]
    package = likely_package(library, missing)
    if package:
        raise DebianError(
            f"{text}, which the package {package} has: remove the line `{package} = ...` from"
            " [omit] of the list of packages, then lock them again"
        )
    is_program = any(needs.startswith("/") for needs in libraries(member))
    is_library = bool(_LOADED.match(posixpath.dirname(member.path)))
    if is_program or is_library or any(name.startswith("lib") for name in missing):
        likely = (*missing, *package_names(library))
        which = f" (likely: {' or '.join(dict.fromkeys(likely))})" if likely else ""
        raise DebianError(
            f"{text}, which is not in the image: remove the package that has it{which} from [omit]"
            " of the list of packages, or add it to a group, then lock them again"
        )


def depends(deb: Deb) -> list[list[Relation]]:
    """The dependencies of a package, as groups of alternatives."""
    fields = (deb.control.get("Pre-Depends", ""), deb.control.get("Depends", ""))
    return [group for field in fields for group in parse_relations(field)]


def _names(deb: Deb) -> set[str]:
    """The names that a package satisfies."""
    provided = parse_relations(deb.control.get("Provides", ""))
    return {deb.name, *(relation.name for group in provided for relation in group)}
