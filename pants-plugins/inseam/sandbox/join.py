"""Joins wheel units into one layer.

Usage: python programs join --name NAME --out OUT [--venv-interpreter PATH --venv-version VERSION]
                            [--machine NAME] [UNIT...]

Merges the units in the folders UNIT by path, copying their bytes as they are, and writes
`NAME.tar`, `layers.json` (with this one layer), `paths.txt` and `names.txt` to the folder OUT.
With the --venv options the layer also holds what makes a venv of the wheels. A wheel with ELF
files is refused if none of them is for --machine.
"""

from __future__ import annotations

import argparse
import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from inseam.sandbox.bytecode import minor_version
from inseam.sandbox.command import Failure
from inseam.sandbox.files import whole
from inseam.sandbox.installed import NAMES, PATHS, Installed, write_names, write_paths
from inseam.sandbox.layer import LAYERS, Layer, write_layers
from inseam.sandbox.tar import (
    COPY_SIZE,
    END_OF_ARCHIVE,
    HashingWriter,
    Member,
    TarError,
    header,
    padding,
    with_directories,
)
from inseam.sandbox.unit import FRAGMENT, Piece, Unit, read_index
from inseam.sandbox.venv import SCRIPTS, site_packages, skeleton


@dataclass(frozen=True)
class _Source:
    unit: Unit
    piece: Piece
    fragment: int


def join(
    name: str,
    units: list[Path],
    out: Path,
    *,
    venv: tuple[str, str] | None = None,
    machine: str | None = None,
) -> Layer:
    """Writes the layer `name` of the given unit folders to the folder `out`.

    venv: interpreter path and version, to make the layer hold a venv's own files too.
    machine: what ELF files must be for, by ELF name.

    Raises Failure, naming both wheels, where two put different bytes at one path.
    """
    indexes = [read_index(unit) for unit in units]
    for unit in indexes:
        # Some wheels bring binaries for several machines; they need ours, they may have others.
        if machine and unit.machines and machine not in unit.machines:
            raise Failure(
                f"{unit.filename} holds binaries for {', '.join(unit.machines)}, but the base is"
                f" for {machine}. Generate the lock again with wheels for the base's platform."
            )
    sources = _by_path(indexes)
    members = [Member(path, owner=source.unit.filename) for path, source in sources.items()]
    if venv is not None:
        members += skeleton(*venv)
    try:
        ordered = with_directories(members)
    except TarError as error:
        raise Failure(str(error)) from error
    tar = out / f"{name}.tar"
    files = {
        path: Installed(source.piece.digest, source.unit.filename)
        for path, source in sources.items()
    }
    with ExitStack() as opened, whole(tar) as target:
        fragments = [opened.enter_context(open(unit / FRAGMENT, "rb")) for unit in units]
        writer = HashingWriter(target)
        for member in ordered:
            source = sources.get(member.path)
            if source is not None:
                piece = source.piece
                _copy(fragments[source.fragment], piece.start, piece.end, writer)
                continue
            assert isinstance(member.content, bytes)
            writer.write(header(member) + member.content)
            writer.write(padding(len(member.content)))
            if not member.directory:
                files[member.path] = Installed(_digest(member), member.owner)
        writer.write(END_OF_ARCHIVE)
    info = writer.info()
    wheels = tuple(sorted((unit.wheel for unit in indexes), key=lambda wheel: wheel.name))
    layer = Layer(name, tar.name, info.diff_id, info.size, wheels)
    write_paths(files, out / PATHS)
    write_names(files, site_packages(minor_version()), SCRIPTS, out / NAMES)
    write_layers([layer], out / LAYERS)
    return layer


def _by_path(units: list[Unit]) -> dict[str, _Source]:
    """Where each path comes from; where wheels share one, from the first by file name."""
    sources: dict[str, _Source] = {}
    for number, unit in sorted(enumerate(units), key=lambda item: item[1].filename):
        for piece in unit.pieces:
            known = sources.setdefault(piece.path, _Source(unit, piece, number))
            if known.piece.digest != piece.digest:
                raise Failure(
                    f"{known.unit.filename} and {unit.filename} both have /{piece.path}, with"
                    " different content. Leave one of the two distributions out of the service's"
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
            raise Failure(f"a wheel unit is cut short; {end - start} bytes are missing")
        writer.write(data)
        start += len(data)


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="join", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--venv-interpreter")
    parser.add_argument("--venv-version")
    parser.add_argument("--machine")
    parser.add_argument("units", nargs="*", type=Path)
    options = parser.parse_args(argv)
    venv = None
    if options.venv_interpreter:
        venv = options.venv_interpreter, options.venv_version
    join(options.name, options.units, options.out, venv=venv, machine=options.machine)
