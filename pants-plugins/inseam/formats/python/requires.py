"""Reads what a wheel requires (core metadata specification, Requires-Dist)."""

from __future__ import annotations

import re
import zipfile
from email.message import Message
from email.parser import BytesHeaderParser
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import plain
from inseam.formats.python.zip_files import DAMAGED, read_file

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")


def requires(wheel: Path) -> tuple[str, ...]:
    """The requirements of a wheel, in order.

    Raises Failure for a file that is not a wheel with one METADATA.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = [info for info in archive.infolist() if _METADATA.fullmatch(info.filename)]
            if len(found) != 1:
                raise Failure(f"{wheel.name} has {len(found)} files named METADATA instead of one")
            text = read_file(archive, found[0])
    except DAMAGED as error:
        raise Failure(f"{wheel.name} is not a usable wheel: {plain(str(error))}") from None
    return requirements_in(BytesHeaderParser().parsebytes(text))


def requirements_in(metadata: Message) -> tuple[str, ...]:
    """The requirements in the headers of a METADATA, in order."""
    # A long one may be folded over several lines.
    values = metadata.get_all("Requires-Dist", [])
    return tuple(" ".join(str(value).split()) for value in values)
