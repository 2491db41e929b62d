"""Merges wheel trees into one layer."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Iterable, Mapping, Sequence

from inseam.formats.failure import Failure
from inseam.formats.files import whole
from inseam.formats.oci.layer import Layer, write_layer
from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.installed import (
    IMPORTS,
    NAMES,
    PATHS,
    Import,
    Installed,
    write_imports,
    write_names,
    write_paths,
)
from inseam.formats.python.libraries import libraries_of, write_libraries
from inseam.formats.python.venv import SCRIPTS, site_packages, skeleton
from inseam.formats.python.wheel_tree import TREE_TAR, TreeFile, WheelTree, read_tree
from inseam.formats.tar import (
    COPY_SIZE,
    END_OF_ARCHIVE,
    HashingWriter,
    Member,
    TarError,
    TarInfo,
    header,
    padding,
    with_directories,
)


@dataclass(frozen=True)
class _Source:
    tree: WheelTree
    file: TreeFile
    number: int


def merge(
    name: str,
    trees: Sequence[Path],
    out: Path,
    *,
    venv: tuple[str, str] | None = None,
    machine: str | None = None,
) -> Layer:
    """Merges the wheel trees in the folders `trees` into the layer `name`, in the folder `out`:
    `NAME.tar`, `layer.json`, `paths.txt`, `names.txt`, `imports.txt` and `libraries.json`.

    venv: interpreter path and version, to make the layer hold a venv's own files too.
    machine: what ELF files must be for, by ELF name.

    Raises Failure, naming both wheels, where two put different bytes at one path.
    """
    indexes = [read_tree(tree) for tree in trees]
    if machine:
        _check_machine(indexes, machine)
    sources = _by_path(indexes)
    members = [Member(path, owner=source.tree.filename) for path, source in sources.items()]
    if venv is not None:
        members += skeleton(*venv)
    try:
        ordered = with_directories(members)
    except TarError as error:
        raise Failure(str(error)) from error
    info = _write_tar(ordered, sources, trees, out / f"{name}.tar")
    wheels = tuple(sorted((tree.wheel for tree in indexes), key=lambda wheel: wheel.name))
    layer = Layer(name, info.diff_id, info.size, wheels)
    files = _installed(ordered, sources)
    write_paths(files, out / PATHS)
    write_names(files, site_packages(minor_version()), SCRIPTS, out / NAMES)
    write_libraries(libraries_of(indexes, machine), out)
    write_imports(
        (Import(module, tree.filename, path) for tree in indexes for module, path in tree.imports),
        out / IMPORTS,
    )
    write_layer(layer, out)
    return layer


def _check_machine(trees: Iterable[WheelTree], machine: str) -> None:
    """Raises Failure for a wheel with binaries, none of which are for the machine."""
    for tree in trees:
        if tree.machines and machine not in tree.machines:
            raise Failure(
                f"{tree.filename} contains binaries for {', '.join(tree.machines)}, but the base is"
                f" for {machine}. Generate the lock again with wheels for the base's platform."
            )


def _write_tar(
    members: Iterable[Member],
    sources: Mapping[str, _Source],
    trees: Iterable[Path],
    tar: Path,
) -> TarInfo:
    """Writes the members: those of wheels are copied from their trees."""
    with ExitStack() as opened, whole(tar) as target:
        fragments = [opened.enter_context(open(tree / TREE_TAR, "rb")) for tree in trees]
        writer = HashingWriter(target)
        for member in members:
            source = sources.get(member.path)
            if source is not None:
                start, end = source.file.start, source.file.end
                _copy(fragments[source.number], start, end, writer)
                continue
            assert isinstance(member.content, bytes)
            writer.write(header(member) + member.content)
            writer.write(padding(len(member.content)))
        writer.write(END_OF_ARCHIVE)
    return writer.info()


def _installed(members: Iterable[Member], sources: Mapping[str, _Source]) -> dict[str, Installed]:
    """The layer's files by path."""
    files = {
        path: Installed(source.file.digest, source.tree.filename)
        for path, source in sources.items()
    }
    for member in members:
        if member.path not in sources and not member.directory:
            files[member.path] = Installed(_digest(member), member.owner)
    return files


def _by_path(trees: list[WheelTree]) -> dict[str, _Source]:
    """Where each path comes from; where wheels share one, from the first by file name."""
    sources: dict[str, _Source] = {}
    for number, tree in sorted(enumerate(trees), key=lambda item: item[1].filename):
        for file in tree.files:
            known = sources.setdefault(file.path, _Source(tree, file, number))
            if known.file.digest != file.digest:
                raise Failure(
                    f"{known.tree.filename} and {tree.filename} both install /{file.path}, with"
                    " different content. Remove one of the two distributions from the service's"
                    " dependencies."
                )
    return sources


def _digest(member: Member) -> str:
    assert isinstance(member.content, bytes)
    return hashlib.sha256(member.content + (member.link or "").encode()).hexdigest()


def _copy(source: BinaryIO, start: int, end: int, writer: HashingWriter) -> None:
    source.seek(start)
    while start < end:
        data = source.read(min(COPY_SIZE, end - start))
        if not data:
            raise Failure(f"a wheel tree is truncated: {end - start} bytes are missing")
        writer.write(data)
        start += len(data)
