"""Writes a wheel again so that its bytes depend on nothing but what is in it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, NamedTuple

from inseam.formats.failure import Failure
from inseam.formats.files import whole
from inseam.formats.python.requires import requirements_in

# The oldest time that a zip archive can state.
_TIME = (1980, 1, 1, 0, 0, 0)


class BuiltMetadata(NamedTuple):
    """What a wheel says of itself (core metadata, PEP 566): name and version as they are spelled
    there, and its Requires-Dist."""

    name: str
    version: str
    requires: tuple[str, ...]


def repack(wheel: Path, out: Path) -> BuiltMetadata:
    """Writes the wheel to the file `out`: members sorted by path, those of its .dist-info last
    (PEP 427), one time and one of two modes for all, stored as they are, and RECORD made again.

    Bytecode is left out. Raises Failure for what is not a wheel.
    """
    try:
        with zipfile.ZipFile(wheel) as source:
            members = {
                info.filename: (source.read(info), bool((info.external_attr >> 16) & 0o111))
                for info in source.infolist()
                if not info.is_dir() and not info.filename.endswith(".pyc")
            }
        records = [path for path in members if path.endswith(".dist-info/RECORD")]
        (record,) = (path for path in records if path.count("/") == 1)
        text = members[f"{posixpath.dirname(record)}/METADATA"][0].decode()
    except (EOFError, KeyError, OSError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        raise Failure(f"the backend made {wheel.name}, which is not a wheel: {error}") from error
    info = posixpath.dirname(record)
    for signature in ("RECORD", "RECORD.jws", "RECORD.p7s"):
        members.pop(f"{info}/{signature}", None)
    ordered = sorted(members, key=lambda path: (path.startswith(f"{info}/"), path))
    members[record] = (_record(record, {path: members[path][0] for path in ordered}), False)
    with whole(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as target:
        for path in [*ordered, record]:
            content, executable = members[path]
            entry = zipfile.ZipInfo(path, _TIME)
            entry.create_system = 3
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            target.writestr(entry, content)
    return _metadata(text)


def _record(own: str, members: dict[str, bytes]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path in sorted(members):
        digest = base64.urlsafe_b64encode(hashlib.sha256(members[path]).digest())
        writer.writerow((path, f"sha256={digest.decode().rstrip('=')}", len(members[path])))
    writer.writerow((own, "", ""))
    return text.getvalue().encode()


def _metadata(text: str) -> BuiltMetadata:
    headers: Any = HeaderParser().parsestr(text)
    return BuiltMetadata(str(headers["Name"]), str(headers["Version"]), requirements_in(headers))
