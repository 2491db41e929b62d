"""Keeps root file systems unpacked, each once, for builds that run in them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from inseam.formats.failure import Failure

# Each version of a builder has hundreds of megabytes. Seconds.
_KEPT = 30 * 24 * 60 * 60


def unpacked(tar: Path, cache: Path) -> Path:
    """The folder below `cache` with what is in `tar`, unpacked if it is not there yet.

    It is whole or not there, and belongs to the user who runs this. When one is unpacked, those
    that nobody has used for 30 days are removed. Raises Failure for what is not a tar.
    """
    folder = cache.absolute() / _sha256(tar)
    with suppress(FileNotFoundError):
        os.utime(folder)
        return folder.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:16]}.", dir=cache))
    try:
        temporary.chmod(0o755)
        with tarfile.open(tar) as archive:
            # The files are Debian's, and links may be absolute: they are followed in another root.
            archive.extraction_filter = lambda member, _: member  # type: ignore[assignment]
            for member in archive:
                # Without root rights, nobody else can own a file.
                member.uid, member.gid = os.getuid(), os.getgid()
                member.uname = member.gname = ""
                archive.extract(member, temporary)
        os.utime(temporary)
        temporary.rename(folder)
        _remove_unused(cache, time.time() - _KEPT)
    except tarfile.TarError as error:
        raise Failure(f"{tar.name} is not a root file system: {error}") from error
    except OSError:
        # Unless another process was faster.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder.resolve()


def _remove_unused(cache: Path, since: float) -> None:
    for folder in cache.iterdir():
        # A build that was killed may have left a file system mounted there.
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
