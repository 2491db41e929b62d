"""Writes zip archives from which CPython imports modules; equal modules give equal bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from inseam.formats.files import whole

# The earliest time that a zip archive can express.
_TIME = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Writes files, by path, to an archive without compression, so that reading it is fast."""
    with whole(path) as out, zipfile.ZipFile(out, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _TIME)
            # Not that of this machine's operating system.
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name])
