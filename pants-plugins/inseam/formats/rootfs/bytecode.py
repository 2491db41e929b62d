"""Adds the bytecode of the standard library to a root filesystem."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from inseam.formats.cpython import is_free_threaded
from inseam.formats.failure import Failure
from inseam.formats.files import whole, write_whole
from inseam.formats.python.bytecode import (
    cache_path,
    compile_source,
    minor_version,
)
from inseam.formats.python.installed import PATHS, Installed, read_paths, write_paths
from inseam.formats.rootfs.metadata import (
    ROOTFS_FILE,
    ROOTFS_TAR,
    Rootfs,
    dump_rootfs,
    parse_rootfs,
)
from inseam.formats.tar import Member, Slice, read, with_directories, write_tar


def add_bytecode(root: Path, out: Path) -> Rootfs:
    """Writes the root filesystem in the folder `root`, as `formats.rootfs.build` leaves it, to the
    folder `out`, with bytecode.

    Raises Failure if the running interpreter has another minor version than the base's.
    """
    rootfs = parse_rootfs((root / ROOTFS_FILE).read_text())
    members = list(_members(root / ROOTFS_TAR))
    made = bytecode_members(members, rootfs.python_version, rootfs.interpreter)
    with whole(out / ROOTFS_TAR) as file:
        info = write_tar(with_directories([*members, *made]), file)
    files = read_paths(root / PATHS)
    for member in made:
        content = b"".join(read(member.content))
        owner = files[member.owner].owner
        files[member.path] = Installed(hashlib.sha256(content).hexdigest(), owner)
    write_paths(files, out / PATHS)
    content_size = rootfs.content_size + sum(member.size for member in made)
    rootfs = replace(rootfs, diff_id=info.diff_id, size=info.size, content_size=content_size)
    write_whole(out / ROOTFS_FILE, dump_rootfs(rootfs).encode())
    return rootfs


def _members(tar: Path) -> Iterator[Member]:
    with tarfile.open(tar) as archive:
        for info in archive:
            yield Member(
                info.name,
                Slice(str(tar), info.offset_data, info.size) if info.isreg() else b"",
                mode=info.mode,
                link=info.linkname if info.issym() else None,
                directory=info.isdir(),
                uid=info.uid,
            )


def bytecode_members(
    members: Iterable[Member], version: str, interpreter: str = "/usr/bin/python3"
) -> list[Member]:
    """Bytecode for the standard library of Python `version` (X.Y.Z); each member's owner is the
    path of its source.

    interpreter: absolute path in the image; its prefix contains the library.
    """
    minor = tuple(int(part) for part in version.split(".")[:2])
    running = minor_version()
    if minor != running:
        raise Failure(
            f"the base image has Python {version}, whose bytecode Python"
            f" {running[0]}.{running[1]} cannot compile; install CPython {minor[0]}.{minor[1]} on"
            " this machine"
        )
    prefix = posixpath.dirname(posixpath.dirname(interpreter)).strip("/")
    free = "t" if is_free_threaded(interpreter) else ""
    stdlib = posixpath.join(prefix, f"lib/python{minor[0]}.{minor[1]}{free}/")
    found = []
    for member in members:
        if not member.path.startswith(stdlib) or not member.path.endswith(".py"):
            continue
        if member.link is not None or member.directory:
            continue
        code = compile_source(b"".join(read(member.content)), f"/{member.path}")
        if code is not None:
            found.append(Member(cache_path(member.path, running), code, owner=member.path))
    return found
