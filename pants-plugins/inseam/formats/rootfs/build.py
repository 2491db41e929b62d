"""Unpacks Debian packages into the root filesystem of a base, without running their scripts."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb import PACKAGE_OWNER, Deb, read_deb
from inseam.formats.debian.package import DebianPackage, load_package
from inseam.formats.failure import Failure
from inseam.formats.files import whole, write_whole
from inseam.formats.python.installed import PATHS, Installed, write_paths
from inseam.formats.rootfs.alternatives import with_alternatives
from inseam.formats.rootfs.archive import read_archive
from inseam.formats.rootfs.checks import check_libraries, depends, without_dead_links
from inseam.formats.rootfs.interpreter import (
    check_interpreter,
    glibc_of,
    python_version,
)
from inseam.formats.rootfs.loader_cache import found_libraries, loader_members
from inseam.formats.rootfs.metadata import (
    ROOTFS_FILE,
    ROOTFS_TAR,
    PackageFacts,
    Rootfs,
    dump_rootfs,
)
from inseam.formats.rootfs.slim import Slimmer
from inseam.formats.rootfs.stdlib import without_useless_modules
from inseam.formats.rootfs.system_files import (
    CERTIFICATE_BUNDLE,
    MERGED,
    OWNER,
    Account,
    certificate_bundle,
    merged,
    status_files,
    system_files,
)
from inseam.formats.tar import (
    DIRECTORY_MODE,
    EXECUTABLE_MODE,
    FILE_MODE,
    Member,
    TarError,
    parents,
    read,
    with_directories,
    write_tar,
)

PYTHON = "usr/bin/python3"
SHARED = "usr/share/"  # the folder in which equal files become links
SHARED_FROM = 512  # bytes; on disk, a smaller file is not larger than a link


@dataclass(frozen=True)
class Root:
    """A root filesystem."""

    members: list[Member]
    left_out_modules: tuple[str, ...]
    """Names of standard modules that were left out because their libraries are missing."""
    libraries: tuple[str, ...]
    """Names of the libraries that the dynamic loader finds."""


def root_members(
    debs: Sequence[Deb],
    architecture: str,
    interpreter: str,
    accounts: Iterable[Account] = (),
    more: Sequence[Member] = (),
) -> Root:
    """The members of a root filesystem with the packages and `more`.

    Raises DebianError for packages of another architecture, for two of one name, for one that
    needs another version of another, and for a program or library whose libraries were left out.
    """
    _check_packages(debs, architecture)
    members: list[Member] = []
    directories: list[Member] = []
    left_out: set[str] = set()
    ordered = sorted(debs, key=lambda deb: deb.name)
    for deb in ordered:
        slimmer = Slimmer(deb.name)
        kept = []
        for member in _unpacked(deb, slimmer):
            if member.path in MERGED:
                continue
            if not slimmer.keeps(merged(member.path)):
                left_out.add(merged(member.path))
            elif member.directory:
                directories.append(member)
            else:
                kept.append(member.path)
                members.append(_normal(member))
        members += status_files(deb, kept)
    members = [*with_alternatives(members, ordered), *more]
    there = {member.path for member in members}
    members += (
        member
        for member in system_files(debs, accounts)
        if member.path not in there or member.path in MERGED or member.directory
    )
    members += _own_directories(directories, members)
    members, modules = without_useless_modules(members)
    members = without_dead_links(members, left_out)
    check_libraries(members, debs)
    libraries = found_libraries(members, ordered, architecture)
    members += loader_members(members, libraries, architecture, interpreter)
    return Root(_share_equal_files(members), modules, tuple(sorted(libraries)))


def _own_directories(directories: Iterable[Member], members: Iterable[Member]) -> list[Member]:
    """The directories of packages that must be created explicitly, because they are empty or their
    mode is not 0755.

    Links lead to some of them; programs write to others. Of two packages, the first one counts.
    """
    there = {member.path for member in members}
    above = set(parents(dict.fromkeys(there)))
    found: dict[str, Member] = {}
    for member in directories:
        path, mode = merged(member.path), _directory_mode(member.mode)
        if path not in there and (mode != DIRECTORY_MODE or path not in above):
            found.setdefault(path, Member(path, mode=mode, directory=True, owner=member.owner))
    return list(found.values())


def _directory_mode(mode: int) -> int:
    """The mode of a directory that root owns, without a group: others may write to it only if it
    protects their files from each other (sticky bit).
    """
    return mode & 0o1777 if mode & 0o1000 else mode & 0o755


def _check_packages(debs: Sequence[Deb], architecture: str) -> None:
    """Raises DebianError for packages that cannot be in one image."""
    _check_versions(debs)
    names: set[str] = set()
    for deb in sorted(debs, key=lambda deb: deb.name):
        if deb.architecture not in (architecture, "all"):
            raise DebianError(
                f"Debian package {deb.name} {deb.version} is for {deb.architecture}, but the image"
                f" is for {architecture}: use the packages that the lock has for {architecture}"
            )
        if deb.name in names:
            raise DebianError(f"Debian package {deb.name} was given twice")
        names.add(deb.name)


def _check_versions(debs: Iterable[Deb]) -> None:
    """Raises DebianError if a package needs another version of one that is in the image.

    This happens if some packages are newer than those in the lock.
    """
    versions = {deb.name: deb.version for deb in debs}
    for deb in debs:
        for alternatives in depends(deb):
            there = [relation for relation in alternatives if relation.name in versions]
            if there and not any(relation.allows(versions[relation.name]) for relation in there):
                raise DebianError(
                    f"Debian package {deb.name} {deb.version} needs {there[0]}, but the image has"
                    f" {there[0].name} {versions[there[0].name]}; lock the packages again"
                )


def _unpacked(deb: Deb, slimmer: Slimmer) -> Iterable[Member]:
    """The members of a package. Each hard link becomes a symbolic link to its target, or a copy of
    the target if that is left out.
    """
    yield from deb.members
    files = {member.path: member for member in deb.members}
    first: dict[str, str] = {}
    for path in sorted(deb.hard_links):
        target = deb.hard_links[path]
        file = files[target]
        if not slimmer.keeps(merged(target)) and slimmer.keeps(merged(path)):
            target = first.setdefault(target, path)
        if target == path:
            yield Member(path, file.content, mode=file.mode, owner=file.owner)
        else:
            yield Member(path, link=_relative(merged(target), merged(path)), owner=file.owner)


def _relative(target: str, path: str) -> str:
    return posixpath.relpath(target, posixpath.dirname(path) or ".")


def _normal(member: Member) -> Member:
    """The member at its normalised path, with one of two modes, so that none sets the user ID."""
    mode = EXECUTABLE_MODE if member.mode & 0o111 else FILE_MODE
    return Member(
        merged(member.path), member.content, mode=mode, link=member.link, owner=member.owner
    )


def _share_equal_files(members: Sequence[Member]) -> list[Member]:
    """Makes equal files below /usr/share (copyrights, time zones) links to the first of them."""
    first: dict[tuple[bytes, int], str] = {}
    found = []
    for member in sorted(members, key=lambda member: member.path):
        if (
            member.path.startswith(SHARED)
            and member.link is None
            and isinstance(member.content, bytes)
            and member.size >= SHARED_FROM
        ):
            path = first.setdefault((member.content, member.mode), member.path)
            if path != member.path:
                link = _relative(path, member.path)
                member = Member(member.path, link=link, owner=member.owner)
        found.append(member)
    return found


def read_locked(path: str) -> tuple[Deb, DebianPackage]:
    """The .deb file at `path`, and its description from the file next to it with the suffix .json.

    Raises DebianError if they do not match.
    """
    description = Path(f"{path}.json")
    try:
        package = load_package(description.read_text(), description.name)
    except OSError as error:
        raise DebianError(f"{description}: cannot read it: {error.strerror}") from None
    deb = read_deb(path)
    found = (deb.name, deb.version, deb.architecture)
    if found != (package.name, package.version, package.architecture):
        raise DebianError(
            f"the .deb of {package} contains {' '.join(found)}; its sha256"
            f" {package.sha256} belongs to another package: lock the packages again"
        )
    return deb, package


def _files(members: Iterable[Member]) -> Iterable[Member]:
    return (member for member in members if not member.directory)


def _installed(member: Member) -> Installed:
    """The owner of a file is the package, or whatever else puts it there."""
    content = (member.link or "").encode() if member.link else b"".join(read(member.content))
    owner = member.owner
    if owner.startswith(PACKAGE_OWNER):
        owner = owner[len(PACKAGE_OWNER) :].partition(" ")[0]
    return Installed(hashlib.sha256(content).hexdigest(), owner or OWNER)


def _facts(debs: Iterable[Deb], members: Iterable[Member]) -> tuple[PackageFacts, ...]:
    """The facts about each package, sorted by name."""
    by_owner: dict[str, list[Member]] = {}
    for member in _files(members):
        by_owner.setdefault(member.owner, []).append(member)
    return tuple(
        _package_facts(deb, by_owner.get(f"{PACKAGE_OWNER}{deb.name} {deb.version}", []))
        for deb in sorted(debs, key=lambda deb: deb.name)
    )


def _package_facts(deb: Deb, own: Sequence[Member]) -> PackageFacts:
    """own: the package's files and links."""
    source, _, version = deb.control.get("Source", "").partition(" ")
    needs = (deb.control.get(field, "") for field in ("Pre-Depends", "Depends"))
    return PackageFacts(
        deb.name,
        source or deb.name,
        version.strip("()") or deb.version,
        ", ".join(" ".join(need.split()) for need in needs if need),
        sum(len(one.link or "") or one.size for one in own),
        len(own),
    )


class LockedPython(NamedTuple):
    """An archive with CPython."""

    path: Path
    sha256: str
    version: str
    """The version X.Y.Z that it must have."""


def _of_archive(
    python: LockedPython, architecture: str, interpreter: str, debs: Sequence[Deb]
) -> list[Member]:
    """The members that the image gets from an archive.

    Raises Failure if the archive has another interpreter or version.
    """
    read = read_archive(python.path, python.sha256, architecture, glibc_of(debs))
    if read.interpreter != interpreter or read.version not in ("", python.version):
        raise Failure(
            f"{python.path.name} has CPython {read.version or 'of a version that it does not say'}"
            f" as {read.interpreter}, but the base declares {python.version} as {interpreter}:"
            " correct `python_version` or `interpreter` of the base."
        )
    members = read.members
    if certificate_bundle(debs):
        # In such archives, OpenSSL's OPENSSLDIR is /etc/ssl.
        link = posixpath.relpath(CERTIFICATE_BUNDLE, "etc/ssl")
        members.append(Member("etc/ssl/cert.pem", link=link, owner=OWNER))
    return members


def build(
    paths: Sequence[str],
    architecture: str,
    interpreter: str,
    out: Path,
    *,
    accounts: Iterable[Account] = (),
    python: LockedPython | None = None,
) -> Rootfs:
    """Unpacks the .deb files at `paths` to the folder `out`, without bytecode, which
    `formats.rootfs.bytecode` adds: rootfs.tar, rootfs.json, and paths.txt with the package of each
    file.

    paths: next to each is a file that describes it, see `read_locked`. python: an archive
    that has the interpreter, if no package does.

    Raises Failure, before anything is written, as the functions above do.
    """
    locked = sorted((read_locked(path) for path in paths), key=lambda pair: pair[1].name)
    debs = [deb for deb, _ in locked]
    more = _of_archive(python, architecture, interpreter, debs) if python else []
    root = root_members(debs, architecture, interpreter, accounts, more)
    members = root.members
    program = check_interpreter(interpreter, architecture, members)
    version = python.version if python else python_version(program, debs)
    if not python and PYTHON not in {member.path for member in members}:
        members.append(Member(PYTHON, link=posixpath.basename(program.path), owner=OWNER))
    try:
        members = with_directories(members)
        with whole(out / ROOTFS_TAR) as file:
            info = write_tar(members, file)
    except TarError as error:
        raise DebianError(f"{error}; remove one of the two packages from the list") from None
    rootfs = Rootfs(
        diff_id=info.diff_id,
        size=info.size,
        content_size=sum(len(member.link or "") or member.size for member in members),
        architecture=architecture,
        interpreter=interpreter,
        python_version=version,
        glibc_version=str(glibc_of(debs) or ""),
        packages=tuple(package for _, package in locked),
        left_out_modules=root.left_out_modules,
        libraries=root.libraries,
        facts=_facts(debs, members),
    )
    write_paths({member.path: _installed(member) for member in _files(members)}, out / PATHS)
    write_whole(out / ROOTFS_FILE, dump_rootfs(rootfs).encode())
    return rootfs
