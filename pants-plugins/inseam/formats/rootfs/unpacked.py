"""Keeps root filesystems unpacked, each once, for builds that run in them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from inseam.formats.failure import Failure, no_space
from inseam.formats.folder import Bounds, Folder
from inseam.formats.untar import UNREADABLE, members, opened_tar

# Maximum size; the largest builders have a hundredth of it.
_BOUNDS = Bounds(size=100_000_000_000, members=2_000_000)
# Seconds. Each version of a builder has hundreds of megabytes.
_KEPT = 30 * 24 * 60 * 60


def unpacked(tar: Path, cache: Path) -> Path:
    """The folder below `cache` with the content of `tar`, which is unpacked if it is missing.

    It exists completely or not at all, and belongs to the user who runs this. Unpacking one removes
    those that were not used for 30 days. Raises Failure for a file that is not a tar.
    """
    folder = cache.absolute() / _sha256(tar)
    with suppress(FileNotFoundError):
        os.utime(folder)
        return folder.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:16]}.", dir=cache))
    try:
        temporary.chmod(0o755)
        _unpack(tar, temporary)
        os.utime(temporary)
        temporary.rename(folder)
        _remove_unused(cache, time.time() - _KEPT)
    except OSError:
        # Unless another process was faster.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder.resolve()


def _unpack(tar: Path, out: Path) -> None:
    try:
        with opened_tar(tar, _BOUNDS.size) as archive, Folder(out, _BOUNDS) as folder:
            for member in members(archive):
                if member.isdir():
                    folder.add_folder(member.name)
                elif member.issym():
                    # The target may be absolute, because it is followed in another root.
                    folder.add_link(member.name, member.linkname)
                else:
                    content = archive.extractfile(member)
                    if content is None:
                        raise ValueError(f"it has the special file {member.name}")
                    executable = bool(member.mode & 0o111)
                    folder.add_file(member.name, content, executable=executable, size=member.size)
    except (*UNREADABLE, Failure) as error:
        if no_space(error):
            raise
        raise Failure(f"{tar.name} is not a root file system: {error}") from error


def _remove_unused(cache: Path, since: float) -> None:
    for folder in cache.iterdir():
        # A build that was killed may have left a filesystem mounted there.
        if folder.stat().st_mtime < since and not os.path.ismount(folder / "proc"):
            unused = folder.with_name(f".{folder.name}.unused")
            with suppress(OSError):
                folder.rename(unused)
            shutil.rmtree(unused, ignore_errors=True)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
