"""Unpacks Debian packages to the root filesystem of a base image, running none of their scripts.

Usage: python programs rootfs --architecture ARCHITECTURE --interpreter PATH --out OUT
           [--no-bytecode] DEB...

ARCHITECTURE is Debian's name of it (amd64), PATH that of the Python interpreter in the image
(/usr/bin/python3.11). Writes `rootfs.tar` and `rootfs.json` (`Rootfs`) to the folder OUT. The
standard library is compiled by the running interpreter, which must be of the same minor version;
--no-bytecode leaves that out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import posixpath
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterable, Mapping, Sequence

from inseam.sandbox.bytecode import cache_path, compile_source, minor_version
from inseam.sandbox.deb import Deb, read_deb
from inseam.sandbox.debian_closure import parse_relations
from inseam.sandbox.debian_control import DebianError
from inseam.sandbox.debian_lock import refresh_command
from inseam.sandbox.elf import machine
from inseam.sandbox.files import whole, write_whole
from inseam.sandbox.shared_objects import needed
from inseam.sandbox.slim import Slimmer
from inseam.sandbox.system_files import MERGED, OWNER, merged, status_files, system_files
from inseam.sandbox.tar import (
    EXECUTABLE_MODE,
    FILE_MODE,
    Member,
    TarError,
    with_directories,
    write_tar,
)

TAR = "rootfs.tar"
METADATA = "rootfs.json"
MAX_LINKS = 40  # as path_resolution(7)
RUN_TIME = ("dev", "proc", "run", "sys")  # what is below them is there in a container only
SHARED = "usr/share/"  # where equal files become links
SHARED_FROM = 512  # bytes; a smaller file is no larger than its link on disk

# Debian's architecture -> `uname -m`.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class InstalledPackage:
    """A Debian package inside the root filesystem; sha256 is that of its .deb."""

    name: str
    version: str
    architecture: str
    sha256: str


@dataclass(frozen=True)
class Rootfs:
    """What a root filesystem is.

    diff_id: OCI image-spec's "Layer DiffID". size: bytes of the tar.
    content_size: bytes of all files and link targets, what `docker image inspect` calls Size.
    interpreter: absolute path of the Python interpreter. python_version: its X.Y.Z.
    glibc_version: X.Y, which bounds the manylinux wheels that run; empty without libc6.
    """

    diff_id: str
    size: int
    content_size: int
    architecture: str
    interpreter: str
    python_version: str
    glibc_version: str
    packages: tuple[InstalledPackage, ...]


def dump_rootfs(rootfs: Rootfs) -> str:
    """The text of rootfs.json."""
    return json.dumps(asdict(rootfs), indent=2) + "\n"


def parse_rootfs(text: str) -> Rootfs:
    """Reads the text of rootfs.json."""
    fields = json.loads(text)
    fields["packages"] = tuple(InstalledPackage(**package) for package in fields["packages"])
    return Rootfs(**fields)


def root_members(debs: Sequence[Deb], architecture: str) -> list[Member]:
    """The members of a root filesystem that holds the packages.

    Raises DebianError for packages of another architecture, for two of one name, for one that
    needs another version of another, for a link that leads nowhere, and for a program or library
    whose libraries are not there.
    """
    _check_versions(debs)
    names: set[str] = set()
    members: list[Member] = []
    dropped: set[str] = set()
    for deb in sorted(debs, key=lambda deb: deb.name):
        if deb.architecture not in (architecture, "all"):
            raise DebianError(
                f"Debian package {deb.name} {deb.version} is for {deb.architecture}, the image for"
                f" {architecture}: give the packages that the lock has for {architecture}"
            )
        if deb.name in names:
            raise DebianError(f"Debian package {deb.name} was given twice")
        names.add(deb.name)
        slimmer = Slimmer(deb.name)
        kept = []
        for member in _unpacked(deb, slimmer):
            if member.directory or (member.link is not None and member.path in MERGED):
                continue
            if slimmer.keeps(merged(member.path)):
                kept.append(member.path)
                members.append(_normal(member))
            else:
                dropped.add(merged(member.path))
        members += status_files(deb, kept)
    members += system_files(debs)
    members = _without_dead_links(members, dropped)
    _check_libraries(members)
    return _share_equal_files(members)


def _check_versions(debs: Iterable[Deb]) -> None:
    """Raises DebianError if a package needs another version of one that is in the image.

    Such a set comes about when some packages are newer than the lock says.
    """
    versions = {deb.name: deb.version for deb in debs}
    for deb in debs:
        fields = (deb.control.get("Pre-Depends", ""), deb.control.get("Depends", ""))
        for alternatives in (group for field in fields for group in parse_relations(field)):
            there = [relation for relation in alternatives if relation.name in versions]
            if there and not any(relation.allows(versions[relation.name]) for relation in there):
                raise DebianError(
                    f"Debian package {deb.name} {deb.version} needs {there[0]}, but the image has"
                    f" {there[0].name} {versions[there[0].name]}; refresh the lock:"
                    f" {refresh_command()}"
                )


def _unpacked(deb: Deb, slimmer: Slimmer) -> Iterable[Member]:
    """The members of a package, with each hard link as a symbolic link to the file it names, or
    as the file itself if that one is dropped."""
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
    """The member at its place, with one of two modes, so that nothing sets its user ID."""
    mode = EXECUTABLE_MODE if member.mode & 0o111 else FILE_MODE
    return Member(
        merged(member.path), member.content, mode=mode, link=member.link, owner=member.owner
    )


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


def _by_path(members: Iterable[Member]) -> dict[str, Member]:
    return {member.path: member for member in members}


def _without_dead_links(members: Sequence[Member], dropped: set[str]) -> list[Member]:
    """Leaves out links to what was dropped; raises DebianError for others that lead nowhere."""
    by_path = _by_path(members)
    there = _with_parents(by_path)
    gone = _with_parents(dropped) - there
    kept = []
    for member in members:
        if member.link is not None:
            target = resolve(member.path, by_path)
            at_run_time = target is not None and target.split("/")[0] in RUN_TIME
            if target is None or not (target in there or target in gone or at_run_time):
                raise DebianError(
                    f"{member.owner} has the link /{member.path} to {member.link}, which is not"
                    " there; add the package that has it to the list in docker/base"
                )
            if target in gone:
                continue
        kept.append(member)
    return kept


def _check_libraries(members: Sequence[Member]) -> None:
    """Raises DebianError if a program or library needs a library that is not in the image."""
    by_path = _by_path(members)
    names = {posixpath.basename(path) for path in by_path}
    for member in sorted(members, key=lambda member: member.path):
        if member.link is not None or not isinstance(member.content, bytes):
            continue
        try:
            libraries = needed(member.content)
        except ValueError as error:
            raise DebianError(f"{member.owner} has a damaged /{member.path}: {error}") from None
        for library in libraries:
            if library.startswith("/"):
                there = resolve(library, by_path) in by_path
            else:
                there = library in names
            if not there:
                raise DebianError(
                    f"/{member.path} of {member.owner} needs {library}, which is not in the image;"
                    " take the package that has it out of [omit], or add it to a group, in the"
                    " list in docker/base"
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


def check_interpreter(path: str, architecture: str, members: Sequence[Member]) -> Member:
    """The file that is the Python interpreter `path` (absolute, inside the image).

    Raises DebianError if it is missing, cannot be executed or is for another architecture.
    """
    by_path = _by_path(members)
    target = resolve(path, by_path) if path.startswith("/") else None
    member = by_path.get(target or "")
    if member is None or member.directory or not isinstance(member.content, bytes):
        others = sorted(name for name in by_path if re.match(r"usr/bin/python\d[.\d]*\Z", name))
        there = ", ".join(f"/{name}" for name in others) or "none"
        raise DebianError(
            f"the base declares the interpreter {path}, but its packages have no such file"
            f" (interpreters that are there: {there}); correct the interpreter of the base, or add"
            " the package that has it"
        )
    if not member.mode & 0o111:
        raise DebianError(f"the interpreter {path} of the base is not executable")
    found = machine(member.content[:20])
    if found != MACHINES.get(architecture, architecture):
        what = f"a program for {found}" if found else "no ELF program"
        raise DebianError(
            f"the interpreter {path} of the base is {what}, not one for {architecture}; correct"
            " the architecture or the packages of the base"
        )
    return member


def python_version(interpreter: Member, debs: Iterable[Deb]) -> str:
    """X.Y.Z of the interpreter, from the version of the package that has it."""
    for deb in debs:
        if any(merged(member.path) == interpreter.path for member in deb.members):
            match = re.match(r"(?:\d+:)?(\d+\.\d+\.\d+)", deb.version)
            if match:
                return match[1]
    raise DebianError(f"cannot tell the Python version of /{interpreter.path} from its package")


def bytecode_members(members: Iterable[Member], version: str) -> list[Member]:
    """Bytecode for the standard library of Python `version` (X.Y.Z).

    Raises DebianError if the running interpreter has another minor version.
    """
    minor = tuple(int(part) for part in version.split(".")[:2])
    running = minor_version()
    if minor != running:
        raise DebianError(
            f"the base image has Python {version}, whose bytecode Python"
            f" {running[0]}.{running[1]} cannot make; install CPython {minor[0]}.{minor[1]} on this"
            " machine"
        )
    stdlib = f"usr/lib/python{minor[0]}.{minor[1]}/"
    found = []
    for member in members:
        if not member.path.startswith(stdlib) or not member.path.endswith(".py"):
            continue
        if member.link is not None or not isinstance(member.content, bytes):
            continue
        code = compile_source(member.content, f"/{member.path}")
        if code is not None:
            found.append(Member(cache_path(member.path, running), code, owner=OWNER))
    return found


def _glibc_version(debs: Iterable[Deb]) -> str:
    for deb in debs:
        match = re.match(r"(?:\d+:)?(\d+\.\d+)", deb.version)
        if deb.name == "libc6" and match:
            return match[1]
    return ""


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def build(
    paths: Sequence[str], architecture: str, interpreter: str, out: Path, *, bytecode: bool = True
) -> Rootfs:
    """Writes rootfs.tar and rootfs.json of the .deb files at `paths` to the folder `out`.

    Raises DebianError, before anything is written, as the functions above do.
    """
    debs = [read_deb(path) for path in paths]
    members = root_members(debs, architecture)
    program = check_interpreter(interpreter, architecture, members)
    version = python_version(program, debs)
    members.append(Member("usr/bin/python3", link=posixpath.basename(program.path), owner=OWNER))
    if bytecode:
        members += bytecode_members(members, version)
    try:
        members = with_directories(members)
        with whole(out / TAR) as file:
            info = write_tar(members, file)
    except TarError as error:
        raise DebianError(f"{error}; leave one of the two out of docker/base") from None
    packages = sorted(
        (
            InstalledPackage(deb.name, deb.version, deb.architecture, _sha256(path))
            for deb, path in zip(debs, paths)
        ),
        key=lambda package: package.name,
    )
    rootfs = Rootfs(
        diff_id=info.diff_id,
        size=info.size,
        content_size=sum(len(member.link or "") or member.size for member in members),
        architecture=architecture,
        interpreter=interpreter,
        python_version=version,
        glibc_version=_glibc_version(debs),
        packages=tuple(packages),
    )
    write_whole(out / METADATA, dump_rootfs(rootfs).encode())
    return rootfs


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="rootfs")
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--interpreter", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--no-bytecode", action="store_true")
    parser.add_argument("debs", nargs="+", metavar="DEB")
    arguments = parser.parse_args(argv)
    build(
        arguments.debs,
        arguments.architecture,
        arguments.interpreter,
        arguments.out,
        bytecode=not arguments.no_bytecode,
    )
