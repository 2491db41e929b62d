"""Reads a tree of sources: packs it, and computes a fingerprint of its files."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word
from inseam.formats.regular import open_regular

# Files that are not part of the sources: those of version control, and bytecode.
_CONTROL = (".git", ".hg", ".svn", ".bzr")


def fingerprint(folder: Path, archived_as: str = "") -> str:
    """Hex sha256 of a tree, as in PEX's locks of checkouts: of the sorted paths of all files,
    followed by the content of each. Bytecode and the files of version control are ignored.

    archived_as: older versions of PEX, such as 2.32, lock the archive that pip makes from a
    checkout, in which paths start with the name of the project and links to folders are empty.

    Raises Failure for a link that leads out of the tree, or to one of its own parent folders.
    """
    top = folder.resolve()
    files = []
    for root, folders, names in os.walk(folder, followlinks=not archived_as):
        if Path(root) == folder:
            folders[:] = [name for name in folders if name not in _CONTROL]
        folders[:] = [name for name in folders if name != "__pycache__"]
        if not archived_as:
            _check_folders(root, folders, top)
        files += [os.path.join(root, name) for name in names if not name.endswith((".pyc", ".pyo"))]
    files.sort()
    digest = hashlib.sha256()
    for path in files:
        name = os.path.join(archived_as, os.path.relpath(path, folder))
        digest.update(name.encode("utf-8", "surrogateescape"))
    for path in files:
        _hash_file(path, top, digest)
    return digest.hexdigest()


def _check_folders(root: str, folders: list[str], top: Path) -> None:
    here = os.path.realpath(root)
    for name in folders:
        path = os.path.join(root, name)
        if os.path.islink(path):
            there = os.path.realpath(path)
            if not Path(there).is_relative_to(top) or Path(here).is_relative_to(there):
                raise _leads_nowhere(path, top)


def _hash_file(path: str, top: Path, digest: hashlib._Hash) -> None:
    real = os.path.realpath(path)
    if not Path(real).is_relative_to(top):
        raise _leads_nowhere(path, top)
    try:
        file = open_regular(real)
    except (OSError, Failure):
        raise _leads_nowhere(path, top) from None
    with file:
        while piece := file.read(1 << 18):
            digest.update(piece)


def _leads_nowhere(path: str, top: Path) -> Failure:
    shown = foreign_word(os.path.relpath(path, top))
    return Failure(f"the link {shown} in the sources leads to nothing that can be read in them")


def pack(folder: Path, out: Path, name: str) -> None:
    """Writes the tree in `folder` as a tar, below the folder `name`; equal trees give equal bytes.

    The files of version control are left out.
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
