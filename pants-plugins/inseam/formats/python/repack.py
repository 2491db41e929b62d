"""Rewrites a wheel so that its bytes depend only on its content."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import zipfile
from contextlib import closing
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from inseam.formats.failure import Failure, no_space
from inseam.formats.files import whole
from inseam.formats.limits import Limits, named
from inseam.formats.python.requires import requirements_in
from inseam.formats.python.wheel_errors import UNUSABLE, reason
from inseam.formats.python.zip_files import ZipStream, files_in, read_file
from inseam.formats.tar import COPY_SIZE

# The earliest time that a zip archive can express.
_TIME = (1980, 1, 1, 0, 0, 0)
_LARGEST_METADATA = 10_000_000  # bytes


class BuiltMetadata(NamedTuple):
    """The metadata of a wheel (core metadata, PEP 566): name and version as spelled there, and
    Requires-Dist.
    """

    name: str
    version: str
    requires: tuple[str, ...]


def repack(wheel: Path, out: Path, limits: Limits = Limits()) -> BuiltMetadata:
    """Writes the wheel to the file `out`: members sorted by path, those of its .dist-info last
    (PEP 427), one time and one of two modes for all, stored as they are, and RECORD made again.

    Bytecode is left out. Raises Failure for a file that is not a wheel, and for a wheel whose
    members together exceed the limit for a wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as source, whole(out) as file:
            return _repack(source, file, limits)
    except UNUSABLE as error:
        if no_space(error):
            raise
        raise Failure(
            f"the backend made {wheel.name}, which is not a wheel: {reason(error)}"
        ) from error


def _repack(source: zipfile.ZipFile, out: BinaryIO, limits: Limits) -> BuiltMetadata:
    members = {
        info.filename: info for info in files_in(source) if not info.filename.endswith(".pyc")
    }
    if sum(info.file_size for info in members.values()) > limits.wheel:
        raise Failure(
            f"the build made a wheel with more than {limits.wheel} bytes {named('wheel')}"
        )
    if len(members) > limits.members:
        raise Failure(
            f"the build made a wheel with more than {limits.members} members {named('members')}"
        )
    records = [path for path in members if path.endswith(".dist-info/RECORD")]
    (record,) = (path for path in records if path.count("/") == 1)
    info = posixpath.dirname(record)
    text = _read(source, members[f"{info}/METADATA"])
    for signature in ("RECORD", "RECORD.jws", "RECORD.p7s"):
        members.pop(f"{info}/{signature}", None)
    ordered = sorted(members, key=lambda path: (path.startswith(f"{info}/"), path))
    rows = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for path in ordered:
            rows.append(_copy(source, members[path], target))
        target.writestr(_entry(record, executable=False), _record(record, rows))
    return _metadata(text)


def _read(source: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    if info.file_size > _LARGEST_METADATA:
        raise ValueError(f"its METADATA has {info.file_size} bytes")
    return read_file(source, info).decode()


def _copy(
    source: zipfile.ZipFile, info: zipfile.ZipInfo, target: zipfile.ZipFile
) -> tuple[str, str, int]:
    """Copies a member; returns its row in RECORD."""
    entry = _entry(info.filename, executable=bool((info.external_attr >> 16) & 0o111))
    entry.file_size = info.file_size
    digest, size = hashlib.sha256(), 0
    with closing(ZipStream(source, info)) as content, target.open(entry, "w") as copy:
        while piece := content.read(COPY_SIZE):
            digest.update(piece)
            size += len(piece)
            copy.write(piece)
    encoded = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
    return info.filename, f"sha256={encoded}", size


def _entry(path: str, *, executable: bool) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, _TIME)
    entry.create_system = 3
    entry.external_attr = (0o100755 if executable else 0o100644) << 16
    return entry


def _record(own: str, rows: list[tuple[str, str, int]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(sorted(rows))
    writer.writerow((own, "", ""))
    return text.getvalue().encode()


def _metadata(text: str) -> BuiltMetadata:
    headers: Any = HeaderParser().parsestr(text)
    return BuiltMetadata(str(headers["Name"]), str(headers["Version"]), requirements_in(headers))
