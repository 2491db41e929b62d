"""Reads wheels, and checks every byte against RECORD while reading."""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import stat
from contextlib import closing
from io import StringIO
from pathlib import PurePosixPath
from typing import BinaryIO, Iterator, Tuple, cast

from installer.records import Hash, RecordEntry, parse_record_file
from installer.sources import WheelFile
from installer.utils import (
    SCHEME_NAMES,
    canonicalize_name,
    parse_metadata_file,
)

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_word, plain
from inseam.formats.python.zip_files import ZipStream, files_in, read_file

_SHOWN = 400  # maximum number of characters of a name in an error
# Spellings that are equal according to PEP 440 ("Normalization").
_SPELLED = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc", "rev": "post"}
_SPELLED["r"] = "post"


class CheckedWheel(WheelFile):
    """A wheel, every byte of which is checked against its RECORD while it is read, in one pass.

    In practice, RECORD may lack files that the wheel has, or list files that it lacks; pip and uv
    install such wheels. Here, the installed RECORD lists what is installed, and `amended` says what
    is wrong in the wheel's own.
    """

    amended: tuple[str, ...] = ()

    def get_contents(self) -> Iterator[Tuple[Tuple[str, str, str], BinaryIO, bool]]:
        """As in the parent class; raises Failure if RECORD and content disagree."""
        own = f"{self.dist_info_dir}/RECORD"
        unsigned = {own, f"{own}.jws", f"{own}.p7s"}
        listed = self.read_dist_info("RECORD")
        if "\0" in listed:  # CPython 3.11 and later read on.
            raise Failure(f"{self.label} has a NUL in its RECORD")
        rows = StringIO(listed, newline="")
        declared = {path: (path, hash_, size) for path, hash_, size in parse_record_file(rows)}
        seen: set[str] = set()
        for info in files_in(self._zipfile):
            name = info.filename
            shown = foreign_word(name, width=_SHOWN)
            if name in seen:
                raise Failure(f"{self.label} has two files with the path {shown}")
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise Failure(f"{self.label} has a file with the unusable path {shown}")
            self._check_scheme(name)
            seen.add(name)
            if name == f"{self.dist_info_dir}/INSTALLER":
                continue  # We are.
            entry = declared.get(name, (name, "", ""))
            mode = info.external_attr >> 16
            executable = stat.S_ISREG(mode) and bool(mode & 0o111)
            with closing(ZipStream(self._zipfile, info)) as stream:
                if name in unsigned:
                    yield (name, "", ""), cast(BinaryIO, stream), executable
                    continue
                record = RecordEntry.from_elements(*entry)
                checking = CheckingStream(stream, record, self.label)
                yield entry, cast(BinaryIO, checking), executable
        missing = sorted(path for path in declared if path not in seen and not path.endswith("/"))
        unlisted = sorted(seen.difference(declared, unsigned))
        self.amended = tuple(
            f"{what} {foreign_word(paths[0], width=_SHOWN)}"
            + (f" and {len(paths) - 1} more" if paths[1:] else "")
            for what, paths in (
                ("lists files that the wheel lacks:", missing),
                ("does not list files that the wheel has:", unlisted),
            )
            if paths
        )

    def read_dist_info(self, filename: str) -> str:
        """The text of a file in the .dist-info directory; raises KeyError if it does not exist, and
        ValueError if it is not text or too long.
        """
        return read_file(self._zipfile, f"{self.dist_info_dir}/{filename}").decode()

    def check_format(self) -> None:
        """Raises Failure unless the version of the format in WHEEL can be installed: 1.N
        (PEP 427).
        """
        found = parse_metadata_file(self.read_dist_info("WHEEL"))["Wheel-Version"]
        if not re.fullmatch(r"1\.[0-9]{1,4}", found or ""):
            said = f"is {foreign_word(found, width=_SHOWN)}" if found else "is missing"
            raise Failure(
                f"{self.label}: Wheel-Version in {self.dist_info_dir}/WHEEL {said}, but only wheels"
                " of version 1 can be installed. Lock another version of the distribution"
            )

    def check_identity(self) -> None:
        """Raises Failure unless file name, .dist-info directory and METADATA (core metadata
        specification) name the same distribution and version."""
        try:
            metadata = parse_metadata_file(self.read_dist_info("METADATA"))
        except KeyError:
            raise Failure(f"{self.label}: the wheel has no {self.dist_info_dir}/METADATA") from None
        folder = self.dist_info_dir[: -len(".dist-info")]
        names = {
            "the file name": (self.distribution, self.version),
            f"the folder {self.dist_info_dir}": tuple(folder.rpartition("-")[::2]),
            "METADATA": (metadata.get("Name") or "", metadata.get("Version") or ""),
        }
        if (
            len({(canonicalize_name(name), _release(version)) for name, version in names.values()})
            > 1
        ):
            told = ", ".join(
                f"{plain(name)} {plain(version)} by {plain(what)}"
                for what, (name, version) in names.items()
            )
            raise Failure(f"{self.label} contradicts itself about its name or version: {told}")

    def _check_scheme(self, name: str) -> None:
        """Raises Failure for a file in the .data directory that has no known scheme."""
        if not name.startswith(self.data_dir):
            return
        folder, *rest = name.split("/")
        if folder != self.data_dir or len(rest) < 2 or rest[0] not in SCHEME_NAMES:
            raise Failure(
                f"{self.label} has the file {foreign_word(name, width=_SHOWN)}, which is not in a"
                f" folder of {self.data_dir} that PEP 427 knows: {', '.join(SCHEME_NAMES)}"
            )

    @property
    def data_dir(self) -> str:
        """Name of the .data directory. It follows that of the .dist-info directory, which may spell
        the distribution differently than the file name.
        """
        return f"{self.dist_info_dir[: -len('.dist-info')]}.data"

    @property
    def label(self) -> str:
        """The wheel's file name, for error messages."""
        return posixpath.basename(self._zipfile.filename or "the wheel")


class CheckingStream:
    """Reads a file of a wheel, and finally compares it with its RECORD entry (PEP 376)."""

    def __init__(self, stream: ZipStream, record: RecordEntry, label: str) -> None:
        self.size = stream.size
        self._stream, self._record, self._label = stream, record, label
        name = record.hash_.name if record.hash_ else "sha256"
        # PEP 427: sha256 or better.
        if name not in hashlib.algorithms_guaranteed or hashlib.new(name).digest_size < 32:
            raise Failure(
                f"{label}: RECORD has the unusable hash {foreign_word(name, width=_SHOWN)} for"
                f" {foreign_word(record.path, width=_SHOWN)}"
            )
        self._hash = hashlib.new(name)
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        self._read += len(data)
        if size < 0 or not data:
            self._check()
        return data

    def _check(self) -> None:
        record = self._record
        found = Hash(self._hash.name, urlsafe(self._hash.digest()))
        if (record.hash_ and record.hash_ != found) or (
            record.size is not None and record.size != self._read
        ):
            raise Failure(
                f"{self._label}: {foreign_word(record.path, width=_SHOWN)} does not have the hash"
                " and size that RECORD gives"
            )


def _release(version: str) -> tuple[str, ...]:
    """The parts of a version, equal for equivalent spellings, as far as wheels use them."""
    words = re.findall(r"[0-9]+|[a-z]+|[+!]", version.lower())
    if words[:1] == ["v"]:
        words = words[1:]
    parts = [
        word.lstrip("0") or "0" if word.isdigit() else _SPELLED.get(word, word) for word in words
    ]
    end = next((n for n, part in enumerate(parts) if not part.isdigit()), len(parts))
    while end > 1 and parts[end - 1] == "0":
        end -= 1
        del parts[end]
    return tuple(parts)


def urlsafe(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
