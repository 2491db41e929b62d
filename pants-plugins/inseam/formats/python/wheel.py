"""Installs a wheel under the venv, as a tar fragment with bytecode.

PyPA's `installer` does it (PEP 427), through a destination that writes tar members instead of
files. The result depends on the wheel and on the running interpreter alone.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import lzma
import posixpath
import re
import stat
import zipfile
import zlib
from io import BytesIO, StringIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Callable, Iterable, Iterator, Tuple, cast

import installer
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, InvalidRecordEntry, RecordEntry, parse_record_file
from installer.sources import WheelFile
from installer.utils import (
    SCHEME_NAMES,
    Scheme,
    canonicalize_name,
    construct_record_file,
    fix_shebang,
    parse_metadata_file,
)

from inseam.formats import elf
from inseam.formats.distribution import Wheel
from inseam.formats.failure import Failure
from inseam.formats.files import whole
from inseam.formats.python.bytecode import compile_module, minor_version
from inseam.formats.python.venv import VENV, console_script, site_packages
from inseam.formats.python.wheel_tree import TREE_TAR, TreeFile, WheelTree, write_tree
from inseam.formats.tar import (
    COPY_SIZE,
    EXECUTABLE_MODE,
    FILE_MODE,
    Member,
    Slice,
    TarError,
    check_member,
    header,
    padding,
)

INSTALLER = b"inseam\n"

# What `installer`, `zipfile` and its decompressors raise for files that are not wheels.
UNUSABLE = (
    EOFError,
    InstallerError,
    InvalidRecordEntry,
    LookupError,
    OSError,
    RuntimeError,
    TarError,
    ValueError,
    configparser.Error,
    csv.Error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
)


class CheckedWheel(WheelFile):
    """A wheel whose every byte is checked against its RECORD while it is read, in one pass.

    RECORD as it is in the wild may lack files that the wheel has, and list files that it lacks: pip
    and uv install such wheels. Here, too, the RECORD that is installed lists what is installed, and
    `amended` says what the wheel's own got wrong.
    """

    amended: tuple[str, ...] = ()

    def get_contents(self) -> Iterator[Tuple[Tuple[str, str, str], BinaryIO, bool]]:
        """As in the parent; raises Failure where RECORD and content disagree."""
        own = f"{self.dist_info_dir}/RECORD"
        unsigned = {own, f"{own}.jws", f"{own}.p7s"}
        rows = StringIO(self.read_dist_info("RECORD"), newline="")
        declared = {path: (path, hash_, size) for path, hash_, size in parse_record_file(rows)}
        seen: set[str] = set()
        for info in self._zipfile.infolist():
            if info.is_dir():
                continue
            name = info.filename
            if name in seen:
                raise Failure(f"{self.label} has two files with the path {name!r}")
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise Failure(f"{self.label} has a file with the unusable path {name!r}")
            self._check_scheme(name)
            seen.add(name)
            if name == f"{self.dist_info_dir}/INSTALLER":
                continue  # We are.
            entry = declared.get(name, (name, "", ""))
            mode = info.external_attr >> 16
            executable = stat.S_ISREG(mode) and bool(mode & 0o111)
            with self._zipfile.open(info) as stream:
                if name in unsigned:
                    yield (name, "", ""), cast(BinaryIO, stream), executable
                    continue
                record = RecordEntry.from_elements(*entry)
                checking = CheckingStream(
                    cast(BinaryIO, stream), record, self.label, info.file_size
                )
                yield entry, cast(BinaryIO, checking), executable
        missing = sorted(path for path in declared if path not in seen and not path.endswith("/"))
        unlisted = sorted(seen.difference(declared, unsigned))
        self.amended = tuple(
            f"{what} {paths[0]!r}" + (f" and {len(paths) - 1} more" if paths[1:] else "")
            for what, paths in (
                ("lists files that the wheel lacks:", missing),
                ("does not list files that the wheel has:", unlisted),
            )
            if paths
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
                f"{name} {version} by {what}" for what, (name, version) in names.items()
            )
            raise Failure(f"{self.label} does not agree with itself on what it is: {told}")

    def _check_scheme(self, name: str) -> None:
        """Raises Failure for what looks like a file of the .data directory and has no scheme."""
        if not name.startswith(self.data_dir):
            return
        folder, *rest = name.split("/")
        if folder != self.data_dir or len(rest) < 2 or rest[0] not in SCHEME_NAMES:
            raise Failure(
                f"{self.label} has the file {name!r}, which is not in a folder of {self.data_dir}"
                f" that PEP 427 knows: {', '.join(SCHEME_NAMES)}"
            )

    @property
    def data_dir(self) -> str:
        """Name of the .data directory: that of the .dist-info directory, where the distribution
        may be spelled otherwise than in the file name."""
        return f"{self.dist_info_dir[: -len('.dist-info')]}.data"

    @property
    def label(self) -> str:
        """The wheel's file name, for error texts."""
        return posixpath.basename(self._zipfile.filename or "the wheel")


class CheckingStream:
    """Reads a file of a wheel, and at its end compares it with its RECORD entry (PEP 376)."""

    def __init__(self, stream: BinaryIO, record: RecordEntry, label: str, size: int) -> None:
        self.size = size
        self._stream, self._record, self._label = stream, record, label
        name = record.hash_.name if record.hash_ else "sha256"
        # PEP 427: sha256 or better.
        if name not in hashlib.algorithms_guaranteed or hashlib.new(name).digest_size < 32:
            raise Failure(f"{label}: RECORD has the unusable hash {name!r} for {record.path!r}")
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
        found = Hash(self._hash.name, _urlsafe(self._hash.digest()))
        if (record.hash_ and record.hash_ != found) or (
            record.size is not None and record.size != self._read
        ):
            raise Failure(
                f"{self._label}: {record.path!r} does not have the hash and size that RECORD gives"
            )


# Spellings that PEP 440 holds to be the same ("Normalization").
_SPELLED = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc", "rev": "post"}
_SPELLED["r"] = "post"


def _release(version: str) -> tuple[str, ...]:
    """A version's parts, equal for two spellings of the same one, as far as wheels have them."""
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


def _urlsafe(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class FragmentDestination(WheelDestination):
    """Where the installer writes to: members of a tar fragment, below the venv."""

    def __init__(self, out: BinaryIO, distribution: str) -> None:
        self._out = out
        self._offset = 0
        self._minor = minor_version()
        site = site_packages(self._minor)
        major, minor = self._minor
        self._schemes = {
            "purelib": site,
            "platlib": site,
            "scripts": f"{VENV}/bin",
            "data": VENV,
            "headers": f"{VENV}/include/site/python{major}.{minor}/{distribution}",
        }
        self.files: list[TreeFile] = []
        self.machines: set[str] = set()
        self._paths: set[str] = set()
        self._dropped: list[RecordEntry] = []

    def write_script(self, name: str, module: str, attr: str, section: str) -> RecordEntry:
        """A console or gui script (PyPA entry points specification)."""
        data = console_script(module, attr)
        self._check_name("scripts", name)
        return self._write("scripts", name, BytesIO(data), len(data), executable=True)

    def write_file(
        self, scheme: Scheme, path: object, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        """A file of the wheel, or one that the installer makes."""
        name = str(path)
        self._check_name(scheme, name)
        if scheme == "scripts":
            if f"{VENV}/bin/{name}" in self._paths:
                # A console script that the wheel ships for an entry point, which has ours already.
                return self._drop(name, stream)
            with fix_shebang(_seekable(stream), f"/{VENV}/bin/python") as fixed:
                data = fixed.read()
            return self._write(scheme, name, BytesIO(data), len(data), executable=True)
        if scheme in ("purelib", "platlib") and name.endswith(".py"):
            data = stream.read()
            record = self._write(scheme, name, BytesIO(data), len(data), is_executable)
            compiled = compile_module(data, name, self._schemes[scheme], self._minor)
            if compiled is not None:
                cached, content = compiled
                self._write(scheme, cached, BytesIO(content), len(content), executable=False)
            return record
        if name.endswith(".pyc") and "__pycache__/" in name:
            # Bytecode that somebody's build left in the wheel: its time stamp is stale here.
            return self._drop(name, stream)
        size = getattr(stream, "size", None)
        if size is None:
            data = stream.read()
            stream, size = BytesIO(data), len(data)
        return self._write(scheme, name, stream, size, is_executable)

    def finalize_installation(
        self, scheme: Scheme, record_file_path: str, records: Iterable[Tuple[Scheme, RecordEntry]]
    ) -> None:
        """Writes RECORD, sorted by path."""

        def prefix(file_scheme: str) -> str | None:
            if self._schemes[file_scheme] == self._schemes[scheme]:
                return None
            return posixpath.relpath(self._schemes[file_scheme], self._schemes[scheme]) + "/"

        dropped = {id(record) for record in self._dropped}
        kept = [item for item in records if id(item[1]) not in dropped]
        ordered = sorted(kept, key=lambda item: (prefix(item[0]) or "", item[1].path))
        with construct_record_file(ordered, prefix) as stream:
            data = stream.read()
        self._write(scheme, record_file_path, BytesIO(data), len(data), executable=False)

    def _check_name(self, scheme: str, name: str) -> None:
        path = posixpath.normpath(f"{self._schemes[scheme]}/{name}")
        if not path.startswith(f"{self._schemes[scheme]}/"):
            raise ValueError(f"it puts {name!r} outside of its place ({scheme})")

    def _drop(self, name: str, stream: BinaryIO) -> RecordEntry:
        """Leaves a file of the wheel out, once it is checked; it won't be in RECORD."""
        record = RecordEntry(name, None, len(stream.read()))
        self._dropped.append(record)
        return record

    def _write(
        self, scheme: str, name: str, stream: BinaryIO, size: int, executable: bool
    ) -> RecordEntry:
        path = posixpath.normpath(f"{self._schemes[scheme]}/{name}")
        mode = EXECUTABLE_MODE if executable else FILE_MODE
        member = Member(path, Slice("", 0, size), mode)
        check_member(member)
        if path in self._paths:
            raise ValueError(f"it puts two files at /{path}")
        self._paths.add(path)
        start = self._offset
        self._append(header(member))
        content = hashlib.sha256()
        written = 0
        while piece := stream.read(COPY_SIZE):
            if not written and (found := elf.machine(piece[:20])):
                self.machines.add(found)
            content.update(piece)
            self._append(piece)
            written += len(piece)
        if written != size:
            raise ValueError(f"{path} has {written} bytes where {size} were announced")
        self._append(padding(size))
        self.files.append(TreeFile(path, start, self._offset, content.hexdigest()))
        return RecordEntry(name, Hash("sha256", _urlsafe(content.digest())), size)

    def _append(self, data: bytes) -> None:
        self._out.write(data)
        self._offset += len(data)


def _seekable(stream: BinaryIO) -> BinaryIO:
    return BytesIO(stream.read())


def install_wheel(
    path: Path, out: Path, warn: Callable[[str], object] = lambda _: None, *, source: str = ""
) -> WheelTree:
    """Installs the wheel at `path` as a wheel tree in the folder `out`.

    source: what it was built from, if it was.
    warn: is told, once, what is wrong with a RECORD that lists other files than the wheel has.

    Raises Failure, naming the wheel, for one that PEP 427 forbids or whose RECORD is wrong.
    """
    try:
        with CheckedWheel.open(path) as wheel_file, whole(out / TREE_TAR) as fragment:
            opened = cast(CheckedWheel, wheel_file)  # `open` has its parent's type
            opened.check_identity()
            destination = FragmentDestination(fragment, opened.distribution)
            installer.install(opened, destination, {"INSTALLER": INSTALLER})
            if opened.amended:
                warn(
                    f"{path.name}: RECORD {', and '.join(opened.amended)}. The installed RECORD"
                    " lists what is installed."
                )
            name = canonicalize_name(opened.distribution)
            wheel = Wheel(name, opened.version, sha256_of(path), source)
    except AssertionError as error:
        raise Failure(
            f"{path.name} is not a usable wheel: its entry_points.txt has a script that is not of"
            " the form `module:function`"
        ) from error
    except UNUSABLE as error:
        raise Failure(f"{path.name} is not a usable wheel: {error}") from error
    machines, files = sorted(destination.machines), destination.files
    tree = WheelTree(wheel, path.name, tuple(machines), tuple(files))
    write_tree(tree, out)
    return tree


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        while piece := source.read(COPY_SIZE):
            digest.update(piece)
    return digest.hexdigest()
