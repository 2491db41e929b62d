"""Lays out first-party code as pieces of a tar, from which the layers of services are joined.

Usage: python programs code --sources DIR --at FOLDER --out OUT [--entry-point FIELD=SPEC]...
                            [--launchers] [--format gzip|zstd] [--level N]

DIR holds sources as they are imported; all of them lie below DIR/FOLDER. Each name in that folder
becomes a piece: the members below it, with bytecode, each with header and padding. So do the
folders above it, /app at least, which have no more than a header, and the end of an archive. Writes
to the folder OUT `code.tar`, all pieces in their order in a layer; `code.blob`, each of them
compressed on its own; and `code.json`, which says where each is.

SPEC, `module:function`, is an entry point that the target's FIELD names; it must be there if its
module is among the sources. With --launchers there is a piece with the launchers of all entry
points, too.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from inseam.sandbox.bytecode import cache_path, compile_source, minor_version
from inseam.sandbox.command import Failure
from inseam.sandbox.compress import MEDIA_TYPES, Compressor
from inseam.sandbox.files import whole, write_whole
from inseam.sandbox.tar import (
    DIRECTORY_MODE,
    END_OF_ARCHIVE,
    EXECUTABLE_MODE,
    FILE_MODE,
    HashingWriter,
    Member,
    Slice,
    TarError,
    entry,
    with_directories,
)
from inseam.sandbox.venv import APP, SCRIPTS, VENV, launcher

# The layers that are joined from the pieces: the package with a service's entry point, and others.
NAME = "app"
LIBRARIES = "libs"
OWNER = "first-party code"
# Where the launcher of the entry point lies that a field of a service names.
LAUNCHERS = {
    "entry_point": f"{SCRIPTS}/entrypoint",
    "healthcheck": f"{SCRIPTS}/healthcheck",
}

TAR = "code.tar"
BLOB = "code.blob"
INDEX = "code.json"

_END = ""  # path of the piece that ends an archive
_FOLDER = Member(APP, mode=DIRECTORY_MODE, directory=True)


class Piece(NamedTuple):
    """A part of a layer: the path in the image of what it begins with ("" for the archive's end),
    and which bytes of the tar and of the blob it is."""

    path: str
    start: int
    end: int
    blob_start: int
    blob_end: int


class Code(NamedTuple):
    """What this program wrote: the texts of its three files."""

    pieces: bytes
    tar: bytes
    blob: bytes


def lay_out(
    sources: Path,
    at: str,
    out: Path,
    *,
    entry_points: Mapping[str, str] = {},
    launchers: bool = False,
    format: str = "gzip",
    level: int | None = None,
) -> None:
    """Writes the pieces of the sources to the folder `out`; the rest is as in the program's usage.

    Raises Failure for an entry point that is not there, and for a file that no layer can hold.
    """
    files = dict(files_below(sources))
    for field, spec in entry_points.items():
        check_entry_point(field, spec, files)
    top = f"{APP}/{at}".rstrip("/")
    try:
        members = with_directories(source_members(files))
        starters = [launcher(LAUNCHERS[name], spec, "") for name, spec in entry_points.items()]
    except TarError as error:
        raise Failure(str(error)) from error
    groups: dict[str, list[Member]] = {APP: []}
    for member in members:
        inner = member.path[len(top) + 1 :]
        path = f"{top}/{inner.partition('/')[0]}" if inner else member.path
        groups.setdefault(path, []).append(member)
    groups[APP] = groups[APP] or [_FOLDER]
    if launchers:
        groups[VENV.partition("/")[0]] = with_directories(starters)
    texts = {path: [text for one in group for text in entry(one)] for path, group in groups.items()}
    texts[_END] = [END_OF_ARCHIVE]
    pieces = []
    with whole(out / TAR) as tar_file, whole(out / BLOB) as blob_file:
        tar, blob = HashingWriter(tar_file), HashingWriter(blob_file)
        for path, parts in texts.items():
            start, blob_start = tar.size, blob.size
            compressor = Compressor(blob.write, format, level)
            for part in parts:
                tar.write(part)
                compressor.write(part)
            compressor.end()
            pieces.append(Piece(path, start, tar.size, blob_start, blob.size))
    write_whole(out / INDEX, json.dumps(pieces, separators=(",", ":")).encode())


def joined(codes: Iterable[Code]) -> tuple[bytes, bytes]:
    """The layer that the pieces of one or more runs make: its tar, and its blob.

    A piece that several have, such as a folder above two packages, is taken once.
    """
    found: dict[str, tuple[memoryview, memoryview]] = {}
    for code in codes:
        tar, blob = memoryview(code.tar), memoryview(code.blob)
        for piece in (Piece(*piece) for piece in json.loads(code.pieces)):
            found[piece.path] = (
                tar[piece.start : piece.end],
                blob[piece.blob_start : piece.blob_end],
            )
    end = found.pop(_END)
    pieces = [found[path] for path in sorted(found, key=lambda path: path.split("/"))]
    return b"".join(tar for tar, _ in [*pieces, end]), b"".join(blob for _, blob in [*pieces, end])


def no_code() -> bytes:
    """The tar of a layer that holds no more than the folder of code: Docker takes what has no
    member for no archive."""
    return b"".join(entry(_FOLDER)) + END_OF_ARCHIVE


def files_below(sources: Path) -> Iterator[tuple[str, Path]]:
    """Each file below `sources` that is no bytecode, as relative POSIX path and path."""
    for folder, folders, names in os.walk(sources):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(folder, name)
            yield path.relative_to(sources).as_posix(), path


def _mode(path: Path) -> int:
    return EXECUTABLE_MODE if path.stat().st_mode & 0o100 else FILE_MODE


def source_members(files: Mapping[str, Path]) -> Iterator[Member]:
    """First-party files as members below /app, with bytecode."""
    minor = minor_version()
    for name, path in files.items():
        content = Slice(str(path), 0, path.stat().st_size)
        yield Member(f"{APP}/{name}", content, _mode(path), owner=OWNER)
        if not name.endswith(".py"):
            continue
        compiled = compile_source(path.read_bytes(), f"/{APP}/{name}")
        if compiled is not None:
            yield Member(f"{APP}/{cache_path(name, minor)}", compiled, owner=OWNER)


def modules_of(spec: str) -> tuple[str, str]:
    """The files in which the module of an entry point can be, best first."""
    stem = spec.partition(":")[0].replace(".", "/")
    return f"{stem}/__init__.py", f"{stem}.py"


def check_entry_point(field: str, spec: str, files: Mapping[str, Path]) -> None:
    """Raises Failure for what is no entry point, and for one whose module is among the files but
    does not have it."""
    if not all(part.isidentifier() for part in spec.partition(":")[2].split(".")):
        module = spec.partition(":")[0]
        raise Failure(f"`{field}={spec!r}` must name a function, as in {module}:main")
    found = next((files[name] for name in modules_of(spec) if name in files), None)
    if found is not None:
        _check_attribute(field, spec, found)


def _check_attribute(field: str, entry_point: str, module: Path) -> None:
    attribute = entry_point.partition(":")[2].split(".")[0]
    try:
        names = set(_bound(ast.parse(module.read_bytes()).body))
    except (SyntaxError, ValueError) as error:
        why = f"{error.msg}, line {error.lineno}" if isinstance(error, SyntaxError) else error
        raise Failure(
            f"the module of `{field}={entry_point!r}` does not compile with Python"
            f" {'.'.join(map(str, minor_version()))}: {why}"
        ) from error
    if attribute in names or "*" in names or "__getattr__" in names:
        return
    known = ", ".join(sorted(name for name in names if not name.startswith("_"))) or "nothing"
    raise Failure(
        f"`{field}={entry_point!r}` names a function that its module does not define."
        f" The module defines: {known}."
    )


def _bound(body: Iterable[ast.AST]) -> Iterator[str]:
    """Names that statements bind at the top level of a module."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            yield from (
                name
                for inner in ast.walk(node)
                if isinstance(inner, ast.Global)
                for name in inner.names
            )
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((name.asname or name.name).split(".")[0] for name in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        yield from _bound(ast.iter_child_nodes(node))


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="code", description=__doc__)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--at", default="")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--entry-point", action="append", default=[])
    parser.add_argument("--launchers", action="store_true")
    parser.add_argument("--format", choices=sorted(MEDIA_TYPES), default="gzip")
    parser.add_argument("--level", type=int)
    options = parser.parse_args(argv)
    lay_out(
        options.sources,
        options.at,
        options.out,
        entry_points=dict(item.split("=", 1) for item in options.entry_point),
        launchers=options.launchers,
        format=options.format,
        level=options.level,
    )
