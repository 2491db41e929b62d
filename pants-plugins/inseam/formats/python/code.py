"""Splits first-party code into fragments of a tar, from which the layers of services are merged.

Each name in a folder becomes a fragment: the members below it, with bytecode, each with header and
padding. The parent folders, at least /app, which only have a header, and the end of an archive are
also fragments. `code.tar` contains all fragments in the order of a layer, `code.blob` contains each
of them compressed separately, and `code.json` says where each is. `imports.json` lists what
`stdlib.several_at_once` finds, `mentions.json` what `named_modules.mentioned_modules` finds, and
`termination.json` contains a `Termination`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from inseam.formats.compression import Compressor
from inseam.formats.failure import Failure
from inseam.formats.files import whole, write_whole
from inseam.formats.python.entry_point import EntryPoint, check_entry_point
from inseam.formats.python.launchers import probe_script
from inseam.formats.python.named_modules import MENTIONING, mentioned_modules
from inseam.formats.python.servers import server_script
from inseam.formats.python.sources import files_below, source_members
from inseam.formats.python.stdlib import check_imports, check_names, several_at_once
from inseam.formats.python.termination import termination_of
from inseam.formats.python.venv import APP, console_script, script_member
from inseam.formats.tar import (
    DIRECTORY_MODE,
    END_OF_ARCHIVE,
    LARGEST_UID,
    HashingWriter,
    Member,
    TarError,
    entry,
    with_directories,
)

# The layers that are merged from the fragments: the package with a service's entry point, and the
# other packages.
APP_LAYER = "app"
LIBRARIES_LAYER = "libs"

CODE_TAR = "code.tar"
CODE_BLOB = "code.blob"
CODE_INDEX = "code.json"
CODE_IMPORTS = "imports.json"
CODE_MENTIONS = "mentions.json"
CODE_TERMINATION = "termination.json"

_END = ""  # the path of the fragment that ends an archive
_FOLDER = Member(APP, mode=DIRECTORY_MODE, directory=True)


class CodeFragment(NamedTuple):
    """A part of a layer: the image path of its first member ("" for the archive's end), and its
    range of bytes in the tar and in the blob.
    """

    path: str
    start: int
    end: int
    blob_start: int
    blob_end: int


class Code(NamedTuple):
    """The contents of `code.json`, `code.tar` and `code.blob`."""

    fragments: bytes
    tar: bytes
    blob: bytes


class CodeRequest(NamedTuple):
    """What to make from first-party files."""

    folder: str = ""
    """The folder that contains all of them, "" for the top; its entries become fragments."""
    entry_points: tuple[EntryPoint, ...] = ()
    """Entry points, which must exist if their modules are among the files."""
    console_scripts: bool = False
    """Whether to make console scripts of all entry points, and of `scripts`, and the directories
    in `writable_dirs`."""
    scripts: tuple[EntryPoint, ...] = ()
    """Console scripts of distributions."""
    missing: tuple[str, ...] = ()
    """Modules of the standard library that the base does not have."""
    writable_dirs: tuple[str, ...] = ()
    """Directories that the service may write to, each as "<uid>:<path>"."""
    format: str = "gzip"
    """How the blob is compressed: "gzip" or "zstd"."""


def write_code(sources: Path, out: Path, request: CodeRequest) -> None:
    """Writes the fragments of the files below `sources` to the folder `out`.

    Raises Failure for an entry point that is missing, for a module that the standard library hides
    or lacks, and for a file that no layer can hold.
    """
    files = dict(files_below(sources))
    for entry_point in request.entry_points:
        check_entry_point(entry_point, files)
    check_names(files)
    check_imports(files, request.missing)
    try:
        groups = _grouped(with_directories(source_members(files)), request.folder)
        if request.console_scripts:
            _add_scripts(groups, with_directories(_script_members(request)))
    except TarError as error:
        raise Failure(str(error)) from error
    texts = {path: [text for one in group for text in entry(one)] for path, group in groups.items()}
    texts[_END] = [END_OF_ARCHIVE]
    fragments = _write_fragments(texts, out, request.format)
    write_whole(out / CODE_IMPORTS, json.dumps(several_at_once(files)).encode())
    termination = termination_of(files, request.entry_points)
    write_whole(out / CODE_TERMINATION, json.dumps(termination).encode())
    write_whole(out / CODE_MENTIONS, json.dumps(_mentions(files)).encode())
    write_whole(out / CODE_INDEX, json.dumps(fragments, separators=(",", ":")).encode())


def _mentions(files: Mapping[str, Path]) -> list[tuple[str, int, str]]:
    """Strings that may name modules: path of the file, line, and dotted name of each."""
    return [
        (path, one.line, one.name)
        for path, file in sorted(files.items())
        if path.endswith(MENTIONING)
        for one in mentioned_modules(path, file.read_bytes())
    ]


def _grouped(members: Iterable[Member], folder: str) -> dict[str, list[Member]]:
    """The members of each fragment, by the path that it begins with."""
    top = f"{APP}/{folder}".rstrip("/")
    groups: dict[str, list[Member]] = {APP: []}
    for member in members:
        inner = member.path[len(top) + 1 :]
        path = f"{top}/{inner.partition('/')[0]}" if inner else member.path
        groups.setdefault(path, []).append(member)
    groups[APP] = groups[APP] or [_FOLDER]
    return groups


def _script_members(request: CodeRequest) -> list[Member]:
    """Console scripts, and directories that the service may write to."""
    scripts = (*request.entry_points, *request.scripts)
    return [
        *(script_member(one.console_script, script_of(one)) for one in scripts),
        *map(_writable, request.writable_dirs),
    ]


def _add_scripts(groups: dict[str, list[Member]], members: Iterable[Member]) -> None:
    for member in members:
        if member.path != APP:
            first, _, rest = member.path.partition("/")
            path = f"{APP}/{rest.partition('/')[0]}" if first == APP else first
            groups.setdefault(path, []).append(member)


def _write_fragments(
    texts: Mapping[str, Iterable[bytes]], out: Path, format: str
) -> list[CodeFragment]:
    """Writes the tar and the blob; returns the range of each fragment in both."""
    fragments = []
    with whole(out / CODE_TAR) as tar_file, whole(out / CODE_BLOB) as blob_file:
        tar, blob = HashingWriter(tar_file), HashingWriter(blob_file)
        for path, parts in texts.items():
            start, blob_start = tar.size, blob.size
            compressor = Compressor(blob.write, format)
            for part in parts:
                tar.write(part)
                compressor.write(part)
            compressor.end()
            fragments.append(CodeFragment(path, start, tar.size, blob_start, blob.size))
    return fragments


def _writable(text: str) -> Member:
    """The member for "<uid>:<path>". Group 0 may write to it, for OpenShift's arbitrary users."""
    uid, _, path = text.partition(":")
    if int(uid) > LARGEST_UID:
        raise Failure(f"`user={uid!r}` is too large for `writable_dirs`, which take {LARGEST_UID}.")
    return Member(path[1:], mode=0o770, directory=True, owner="writable_dirs", uid=int(uid))


def script_of(entry_point: EntryPoint) -> bytes:
    """The text of the console script that starts an entry point."""
    if entry_point.is_probe:
        return probe_script(entry_point.module, entry_point.check)
    if entry_point.server:
        return server_script(entry_point.server, entry_point.reference, entry_point.is_factory)
    return console_script(entry_point.module, entry_point.attribute)


def merge_code(codes: Iterable[Code]) -> tuple[bytes, bytes]:
    """The layer made from the fragments of one or more runs: its tar and its blob.

    A fragment that several runs have, such as the parent folder of two packages, is used once.
    """
    found: dict[str, tuple[memoryview, memoryview]] = {}
    for code in codes:
        tar, blob = memoryview(code.tar), memoryview(code.blob)
        for fragment in (CodeFragment(*item) for item in json.loads(code.fragments)):
            found[fragment.path] = (
                tar[fragment.start : fragment.end],
                blob[fragment.blob_start : fragment.blob_end],
            )
    end = found.pop(_END)
    parts = [found[path] for path in sorted(found, key=lambda path: path.split("/"))]
    return b"".join(tar for tar, _ in [*parts, end]), b"".join(blob for _, blob in [*parts, end])


def no_code() -> bytes:
    """The tar of a layer that contains only the folder for code, because Docker does not accept a
    tar without members.
    """
    return b"".join(entry(_FOLDER)) + END_OF_ARCHIVE
