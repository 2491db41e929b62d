"""Unpacks wheels whose modules a later program imports.

Usage: unpack OUT WHEEL...

Writes the content of the wheels to the folder OUT. Only wheels whose content is installed unchanged
(without `.data`) are accepted.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from inseam.formats.failure import Failure, no_space
from inseam.formats.files import write_whole
from inseam.formats.python.zip_files import DAMAGED, files_in, read_file


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    out = Path(argv[0])
    for wheel in argv[1:]:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for info in files_in(archive):
                    parts = Path(info.filename).parts
                    if Path(info.filename).is_absolute() or ".." in parts:
                        raise Failure(f"{wheel} has the unusable path {info.filename!r}")
                    if ".data" in parts[0]:
                        raise Failure(
                            f"{wheel} has files that must be installed elsewhere, so it cannot"
                            " be used unpacked"
                        )
                    write_whole(out / info.filename, read_file(archive, info))
        except DAMAGED as error:
            if no_space(error):
                raise
            raise Failure(f"{wheel} is not a usable wheel: {error}") from error
