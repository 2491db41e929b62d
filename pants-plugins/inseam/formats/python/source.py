"""Unpacks the sources of a distribution."""

from __future__ import annotations

import os
import zipfile
from contextlib import closing
from pathlib import Path

from inseam.formats.failure import Failure, no_space
from inseam.formats.folder import Bounds, Folder
from inseam.formats.foreign_text import foreign_word, plain
from inseam.formats.python.zip_files import DAMAGED, ZipStream
from inseam.formats.untar import UNREADABLE, members, opened_tar

_UNUSABLE = (*UNREADABLE, *DAMAGED)


def unpack(archive: Path, out: Path, bounds: Bounds = Bounds()) -> Path:
    """Unpacks an sdist (PEP 625), or another tar or zip archive, to the new folder `out`, and
    returns the folder of its project.

    Files get mode 0644 or 0755; their times are not kept. Raises Failure, naming the archive, if it
    is not an archive, has a member or a link that leads out of it, or a device file, or unpacks to
    more than `bounds`.
    """
    try:
        with Folder(out, bounds) as folder:
            if zipfile.is_zipfile(archive):
                _unpack_zip(archive, folder)
            else:
                _unpack_tar(archive, folder, bounds)
            folder.check_links()
    except (*_UNUSABLE, Failure) as error:
        if no_space(error):
            raise
        raise Failure(
            f"{archive.name} is not a usable archive of sources: {plain(str(error))}"
        ) from error
    found = sorted(path for path in out.iterdir() if path.name != "pax_global_header")
    if len(found) == 1 and found[0].is_dir() and not found[0].is_symlink():
        return found[0]
    return out


def _unpack_tar(archive: Path, folder: Folder, bounds: Bounds) -> None:
    # The content, and the headers of each member.
    with opened_tar(archive, bounds.size + bounds.members * 4096) as tar:
        # A hard link may precede its target.
        later = []
        for member in members(tar, bounds.members + 1):
            if member.isdir():
                folder.add_folder(member.name)
            elif member.isreg():
                stream = tar.extractfile(member)
                assert stream is not None
                executable = bool(member.mode & 0o111)
                folder.add_file(member.name, stream, executable=executable, size=member.size)
            elif member.islnk():
                later.append((member.name, member.linkname))
            elif member.issym():
                folder.add_link(member.name, member.linkname)
            else:
                raise ValueError(f"it has the device {foreign_word(member.name)}")
        for name, linked in later:
            folder.add_copy(name, linked)


def _unpack_zip(archive: Path, folder: Folder) -> None:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if info.filename.endswith("/"):
                folder.add_folder(info.filename)
                continue
            executable = bool((info.external_attr >> 16) & 0o111)
            with closing(ZipStream(file, info)) as stream:
                folder.add_file(info.filename, stream, executable=executable, size=info.file_size)


def project_folder(top: Path, subdirectory: str) -> Path:
    """The folder of a project in a tree; raises Failure if it is missing or outside the tree."""
    project = top / subdirectory
    try:
        found = project.resolve(strict=True).is_relative_to(top.resolve()) and project.is_dir()
    except (OSError, RuntimeError, ValueError):
        found = False
    if not found:
        raise Failure(f"the sources have no folder {foreign_word(subdirectory)}")
    return project


def set_times(folder: Path, seconds: int) -> None:
    """Sets the time of everything below `folder`, except links, in seconds since 1970."""
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                os.utime(path, (seconds, seconds), follow_symlinks=False)
