"""Keeps root file systems unpacked, each once, for builds that run in them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

from inseam.formats.failure import Failure


def unpacked(tar: Path, cache: Path) -> Path:
    """The folder below `cache` with what is in `tar`, unpacked if it is not there yet.

    It is whole or not there, and belongs to the user who runs this. Raises Failure for what is not
    a tar.
    """
    folder = cache.absolute() / _sha256(tar)
    if folder.exists():
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
        temporary.rename(folder)
    except tarfile.TarError as error:
        raise Failure(f"{tar.name} is not a root file system: {error}") from error
    except OSError:
        # Unless another process was faster.
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder.resolve()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
