"""Unpacks the sources of a distribution, and knows them by a fingerprint of their files."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from inseam.formats.failure import Failure, no_space

# What is no part of the sources: a checkout's own files, and bytecode.
_CONTROL = (".git", ".hg", ".svn", ".bzr")
_UNUSABLE = (EOFError, OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, RuntimeError)


def unpack(archive: Path, out: Path) -> Path:
    """Unpacks an sdist (PEP 625), or another tar or zip archive, to the new folder `out`, and
    returns the folder of its project.

    Files get the modes 0644 or 0755, and no time of their own. Raises Failure, naming the archive,
    for what is not an archive, for a member outside of it, and for device files.
    """
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, out)
        else:
            _unpack_tar(archive, out)
    except _UNUSABLE as error:
        if no_space(error):
            raise
        raise Failure(f"{archive.name} is not a usable archive of sources: {error}") from error
    found = sorted(path for path in out.iterdir() if path.name != "pax_global_header")
    if len(found) == 1 and found[0].is_dir() and not found[0].is_symlink():
        return found[0]
    return out


def _inside(name: str, what: str = "member") -> str:
    path = posixpath.normpath(name)
    if PurePosixPath(path).is_absolute() or path.split("/")[0] == "..":
        raise ValueError(f"it has the {what} {name!r}, which leads out of it")
    return path


def _unpack_tar(archive: Path, out: Path) -> None:
    with tarfile.open(archive) as tar:
        out.mkdir(parents=True)
        # Links come last, so that no member is written through one.
        links = []
        for member in tar:
            path = out / _inside(member.name)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                stream = tar.extractfile(member)
                assert stream is not None
                with stream:
                    _write(path, stream, bool(member.mode & 0o111))
            elif member.issym() or member.islnk():
                links.append(member)
            else:
                raise ValueError(f"it has the device {member.name!r}")
        for member in links:
            path = out / _inside(member.name)
            folder = posixpath.dirname(member.name) if member.issym() else ""
            target = _inside(posixpath.join(folder, member.linkname), "link to")
            path.parent.mkdir(parents=True, exist_ok=True)
            if member.islnk():
                shutil.copyfile(out / target, path)
                shutil.copymode(out / target, path)
            else:
                path.symlink_to(member.linkname)


def _unpack_zip(archive: Path, out: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        out.mkdir(parents=True)
        for info in file.infolist():
            path = out / _inside(info.filename)
            if info.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            with file.open(info) as stream:
                _write(path, stream, bool((info.external_attr >> 16) & 0o111))


def _write(path: Path, stream: IO[bytes], executable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        shutil.copyfileobj(stream, file)
    path.chmod(0o755 if executable else 0o644)


def set_times(folder: Path, seconds: int) -> None:
    """Gives everything below `folder`, links aside, one time, in seconds since 1970."""
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                os.utime(path, (seconds, seconds))


def fingerprint(folder: Path, archived_as: str = "") -> str:
    """Hex sha256 of a tree as PEX locks checkouts by it: first the paths of all
    files, sorted, one after the other, then what is in each. Bytecode does not count, nor what a
    version control system keeps.

    archived_as: older versions of PEX, such as 2.32, lock the archive that pip makes of a checkout.
    There the paths begin with the name of the project, and links to folders are empty.
    """
    files = []
    for root, folders, names in os.walk(folder, followlinks=not archived_as):
        if Path(root) == folder:
            folders[:] = [name for name in folders if name not in _CONTROL]
        folders[:] = [name for name in folders if name != "__pycache__"]
        files += [os.path.join(root, name) for name in names if not name.endswith((".pyc", ".pyo"))]
    files.sort()
    digest = hashlib.sha256()
    for path in files:
        name = os.path.join(archived_as, os.path.relpath(path, folder))
        digest.update(name.encode("utf-8", "surrogateescape"))
    for path in files:
        with open(path, "rb") as file:
            while piece := file.read(1 << 18):
                digest.update(piece)
    return digest.hexdigest()


def pack(folder: Path, out: Path, name: str) -> None:
    """Writes the tree in `folder` as a tar below the folder `name`; equal trees give equal bytes.

    What a version control system keeps is left out.
    """
    entries = []
    for root, folders, names in os.walk(folder):
        if Path(root) == folder:
            folders[:] = [part for part in folders if part not in _CONTROL]
        links = [part for part in folders if os.path.islink(os.path.join(root, part))]
        entries += [os.path.join(root, part) for part in [*names, *links]]
    with (
        open(out, "xb") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(entries):
            info = tar.gettarinfo(path, f"{name}/{os.path.relpath(path, folder)}")
            if info.islnk():
                info.type, info.size = tarfile.REGTYPE, os.stat(path).st_size
            info.mode = 0o755 if info.mode & 0o111 else 0o644
            info.mtime = info.uid = info.gid = 0
            info.uname = info.gname = ""
            if info.isreg():
                with open(path, "rb") as content:
                    tar.addfile(info, content)
            elif info.issym():
                tar.addfile(info)
