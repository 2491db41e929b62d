"""Merges wheel trees into one layer."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Iterable, Mapping, NamedTuple, Sequence

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
from inseam.formats.python.shared_path import (
    PREFERRED,
    Preference,
    SharedPath,
    decide,
    source_of,
    write_shared,
)
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

    @property
    def installed(self) -> Installed:
        return Installed(self.file.digest, self.tree.filename, self.file.meaning)


class MergeOptions(NamedTuple):
    """How wheel trees are merged."""

    venv: tuple[str, str] | None = None
    """Interpreter path and version, to make the layer hold a venv's own files too."""
    machine: str | None = None
    """What ELF files must be for, by ELF name."""
    preferences: tuple[Preference, ...] = ()
    """The distribution whose file is used, where two install one at the same path."""
    elsewhere: tuple[Path, ...] = ()
    """Folders of wheel trees that are in other layers of the image. Files that are preferred there
    are left out here."""


def merge(
    name: str, trees: Sequence[Path], out: Path, options: MergeOptions = MergeOptions()
) -> Layer:
    """Merges the wheel trees in the folders `trees` into the layer `name`, in the folder `out`:
    `NAME.tar`, `layer.json`, `paths.txt`, `names.txt`, `imports.txt`, `libraries.json` and
    `shared.json`. The last lists the paths that two wheels share, with the wheel whose file the
    layer has, or with the reason why no image may be made.
    """
    venv, machine = options.venv, options.machine
    indexes = [read_tree(tree) for tree in trees]
    if machine:
        _check_machine(indexes, machine)
    sources, shared = _by_path(indexes, options.preferences)
    others = [read_tree(tree) for tree in options.elsewhere]
    shared += _leave_out(sources, others, options.preferences)
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
    write_libraries(libraries_of((_kept(tree, sources) for tree in indexes), machine), out)
    write_imports(
        (Import(module, tree.filename, path) for tree in indexes for module, path in tree.imports),
        out / IMPORTS,
    )
    write_shared(shared, out)
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
    files = {path: source.installed for path, source in sources.items()}
    for member in members:
        if member.path not in sources and not member.directory:
            files[member.path] = Installed(_digest(member), member.owner)
    return files


def _by_path(
    trees: Sequence[WheelTree], preferences: Iterable[Preference]
) -> tuple[dict[str, _Source], list[SharedPath]]:
    """Where each path comes from, and the paths that wheels share. Bytecode comes from where its
    source does."""
    preferences = tuple(preferences)
    sources: dict[str, _Source] = {}
    bytecode: list[tuple[str, _Source]] = []
    shared = []
    for number, tree in sorted(enumerate(trees), key=lambda item: item[1].filename):
        own = {file.path for file in tree.files}
        for file in tree.files:
            one = _Source(tree, file, number)
            source = source_of(file.path)
            if source is not None and source in own:
                bytecode.append((source, one))
                continue
            known = sources.setdefault(file.path, one)
            if known is one:
                continue
            why, is_other, key = decide(file.path, known.installed, one.installed, preferences)
            kept, other = (one, known) if is_other else (known, one)
            sources[file.path] = kept
            shared.append(SharedPath(file.path, kept.tree.filename, other.tree.filename, why, key))
    for path, one in bytecode:
        if sources[path].tree is one.tree:
            sources[one.file.path] = one
    return sources, shared


def _leave_out(
    sources: dict[str, _Source], others: Iterable[WheelTree], preferences: Iterable[Preference]
) -> list[SharedPath]:
    """Removes the files for which those of wheels in other layers are preferred, with their
    bytecode; returns their paths."""
    preferences = tuple(preferences)
    left_out = []
    for tree in others:
        for file in tree.files:
            known = sources.get(file.path)
            if known is None:
                continue
            other = _Source(tree, file, -1)
            why, is_other, key = decide(file.path, known.installed, other.installed, preferences)
            if why == PREFERRED and is_other:
                names = tree.filename, known.tree.filename
                left_out.append(SharedPath(file.path, *names, why, key))
    gone = {one.path for one in left_out}
    for path in [path for path in sources if path in gone or source_of(path) in gone]:
        del sources[path]
    return left_out


def _kept(tree: WheelTree, sources: Mapping[str, _Source]) -> WheelTree:
    """A wheel tree with those of its binaries that the layer has."""
    held = (one for one in tree.binaries if one.path in sources and sources[one.path].tree is tree)
    return tree._replace(binaries=tuple(held))


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
