"""Unpacks wheels whose modules a later program imports.

Usage: python programs unpack OUT WHEEL...

What is in the wheels is in the folder OUT then; only wheels whose content is installed as it is
(no `.data`) will do.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from inseam.sandbox.command import Failure
from inseam.sandbox.files import write_whole


def main(argv: list[str]) -> None:
    """See the module's text."""
    out = Path(argv[0])
    for wheel in argv[1:]:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for info in archive.infolist():
                    if info.is_dir():
                        continue
                    parts = Path(info.filename).parts
                    if Path(info.filename).is_absolute() or ".." in parts:
                        raise Failure(f"{wheel} has the unusable path {info.filename!r}")
                    if ".data" in parts[0]:
                        raise Failure(f"{wheel} is no wheel that can be used as it is")
                    write_whole(out / info.filename, archive.read(info))
        except (zipfile.BadZipFile, OSError) as error:
            raise Failure(f"{wheel} is no usable wheel: {error}") from error
