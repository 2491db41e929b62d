"""Lays out a service's first-party code as its `app` layer.

Usage: python programs app --target ADDRESS --sources DIR --out OUT --entry-point MODULE:FUNCTION
                           [--healthcheck MODULE:FUNCTION] [--format gzip|zstd] [--level N]
                           [LAYER...]

DIR holds the sources as they are imported. LAYER... are folders that `join` wrote, of the layers
below with which the code may share a name; of these, only `paths.txt` is read.

Writes `app.tar`, and `layers.json` with this one layer, to the folder OUT; with --format, what
`compress` makes of that instead: `descriptor.json` and the blob.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterable, Iterator, cast

from inseam.sandbox.bytecode import cache_path, compile_source, minor_version
from inseam.sandbox.command import Failure
from inseam.sandbox.compress import MEDIA_TYPES, LayerWriter
from inseam.sandbox.descriptor import DESCRIPTOR, LayerBlob, write_layer
from inseam.sandbox.files import whole
from inseam.sandbox.installed import InstalledFiles, first_name, module_stem
from inseam.sandbox.layer import LAYERS, Layer, write_layers
from inseam.sandbox.tar import (
    EXECUTABLE_MODE,
    FILE_MODE,
    Member,
    Slice,
    TarError,
    write_tar,
)
from inseam.sandbox.venv import APP, SCRIPTS, launcher, site_packages

NAME = "app"
ENTRY_POINT = f"{SCRIPTS}/entrypoint"
HEALTHCHECK = f"{SCRIPTS}/healthcheck"

# The ways for a package to say that its modules may lie in several places of the path.
_NAMESPACE = re.compile(rb"extend_path|declare_namespace")


def app_layer(
    target: str,
    sources: Path,
    out: Path,
    *,
    entry_point: str,
    healthcheck: str | None,
    below: list[Path],
) -> Layer:
    """Writes the app layer of `target`, as a tar, to the folder `out`.

    Raises Failure as `app_members` does.
    """
    members = app_members(
        target, sources, entry_point=entry_point, healthcheck=healthcheck, below=below
    )
    tar = out / f"{NAME}.tar"
    with _naming(target), whole(tar) as file:
        info = write_tar(members, file)
    layer = Layer(NAME, tar.name, info.diff_id, info.size)
    write_layers([layer], out / LAYERS)
    return layer


def app_blob(
    target: str,
    sources: Path,
    out: Path,
    *,
    entry_point: str,
    healthcheck: str | None,
    below: list[Path],
    format: str = "gzip",
    level: int | None = None,
) -> LayerBlob:
    """Writes the app layer of `target`, compressed as by `compress`, to the folder `out`.

    Raises Failure as `app_members` and `LayerWriter` do.
    """
    members = app_members(
        target, sources, entry_point=entry_point, healthcheck=healthcheck, below=below
    )
    writer = LayerWriter(NAME, out, format=format, level=level)
    with _naming(target), writer:
        write_tar(members, cast(BinaryIO, writer))
    write_layer(writer.layer, out / DESCRIPTOR)
    return writer.layer


@contextmanager
def _naming(target: str) -> Iterator[None]:
    """Makes a TarError a Failure that names the target."""
    try:
        yield
    except TarError as error:
        raise Failure(f"{target}: {error}") from error


def app_members(
    target: str,
    sources: Path,
    *,
    entry_point: str,
    healthcheck: str | None,
    below: list[Path],
) -> list[Member]:
    """The members of the app layer of `target`; `below`: as LAYER... of the program.

    Raises Failure for an entry point that is not there, and where first-party code and a wheel
    give different content to one import path.
    """
    installed = InstalledFiles(below, site_packages(minor_version()))
    files = dict(files_below(sources))
    _check_collisions(target, files, installed)
    members = list(source_members(target, files))
    members.append(_launcher(target, ENTRY_POINT, "entry_point", entry_point, files, installed))
    if healthcheck is not None:
        members.append(_launcher(target, HEALTHCHECK, "healthcheck", healthcheck, files, installed))
    return members


def files_below(sources: Path) -> Iterator[tuple[str, Path]]:
    """Each file below `sources` that is no bytecode, as relative POSIX path and path."""
    for folder, folders, names in os.walk(sources):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = Path(folder, name)
            yield path.relative_to(sources).as_posix(), path


def _mode(path: Path) -> int:
    return EXECUTABLE_MODE if path.stat().st_mode & 0o100 else FILE_MODE


def source_members(target: str, files: dict[str, Path]) -> Iterator[Member]:
    """First-party files as members below /app, with bytecode."""
    minor = minor_version()
    for name, path in files.items():
        yield Member(
            f"{APP}/{name}", Slice(str(path), 0, path.stat().st_size), _mode(path), owner=target
        )
        if not name.endswith(".py"):
            continue
        compiled = compile_source(path.read_bytes(), f"/{APP}/{name}")
        if compiled is not None:
            yield Member(f"{APP}/{cache_path(name, minor)}", compiled, owner=target)


def _check_collisions(target: str, files: dict[str, Path], installed: InstalledFiles) -> None:
    """site-packages comes before /app on sys.path: a wheel's file would win over ours."""
    site = site_packages(minor_version())
    shared = installed.top_level()
    for name, path in sorted(files.items()):
        if first_name(name) not in shared:
            continue
        wheel = installed.find(f"{site}/{name}")
        if wheel is None:
            if name.endswith(".py"):
                _check_shadow(target, name, files, installed)
        elif hashlib.sha256(path.read_bytes()).hexdigest() != wheel.digest:
            raise Failure(
                f"{target}: the first-party file {name} has the import path of a file that"
                f" {wheel.owner} installs (/{site}/{name}), with different content. Rename the"
                " module, or drop the requirement."
            )


def _check_shadow(
    target: str,
    name: str,
    files: dict[str, Path],
    installed: InstalledFiles,
) -> None:
    """Raises Failure if a wheel's module, or a package of a wheel around it, comes before the
    first-party module in the file `name`."""
    parts = module_stem(name).split("/")
    for length in range(1, len(parts) + 1):
        stem = "/".join(parts[:length])
        path = installed.modules.get(stem)
        ours = files.get(f"{stem}/__init__.py")
        if path is None or (ours and _NAMESPACE.search(ours.read_bytes())):
            continue
        raise Failure(
            f"{target}: the first-party file {name} could not be imported, because"
            f" {installed.files[path].owner} installs /{path}, which comes before it. Rename"
            f" {stem.replace('/', '.')}, or drop the requirement."
        )


def _launcher(
    target: str,
    path: str,
    field: str,
    entry_point: str,
    files: dict[str, Path],
    installed: InstalledFiles,
) -> Member:
    wheel = installed.find(path)
    if wheel is not None:
        raise Failure(
            f"{target}: {wheel.owner} installs /{path}, which is the place of the"
            f" launcher for `{field}`. Drop that requirement."
        )
    module, _, attribute = entry_point.partition(":")
    stem = module.replace(".", "/")
    candidates = [f"{stem}/__init__.py", f"{stem}.py"]
    found = next((files[name] for name in candidates if name in files), None)
    if found is not None:
        _check_attribute(target, field, entry_point, found)
    elif stem not in installed.modules:
        raise Failure(
            f"{target}: the module {module!r} of `{field}={entry_point!r}` is neither in the"
            " service's first-party code nor in its wheels. Check the spelling, and that the"
            " module's `python_sources` target is among the service's dependencies."
        )
    if not all(part.isidentifier() for part in attribute.split(".")):
        raise Failure(
            f"{target}: `{field}={entry_point!r}` must name a function, as in {module}:main"
        )
    return launcher(path, entry_point, target)


def _check_attribute(target: str, field: str, entry_point: str, module: Path) -> None:
    attribute = entry_point.partition(":")[2].split(".")[0]
    try:
        names = set(_bound(ast.parse(module.read_bytes()).body))
    except (SyntaxError, ValueError) as error:
        why = f"{error.msg}, line {error.lineno}" if isinstance(error, SyntaxError) else error
        raise Failure(
            f"{target}: the module of `{field}={entry_point!r}` does not compile with Python"
            f" {'.'.join(map(str, minor_version()))}: {why}"
        ) from error
    if attribute in names or "*" in names or "__getattr__" in names:
        return
    known = ", ".join(sorted(name for name in names if not name.startswith("_"))) or "nothing"
    raise Failure(
        f"{target}: `{field}={entry_point!r}` names a function that its module does not define."
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
    parser = argparse.ArgumentParser(prog="app", description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--entry-point", required=True)
    parser.add_argument("--healthcheck")
    parser.add_argument("--format", choices=sorted(MEDIA_TYPES))
    parser.add_argument("--level", type=int)
    parser.add_argument("layers", nargs="*", type=Path)
    options = parser.parse_args(argv)
    common = {
        "entry_point": options.entry_point,
        "healthcheck": options.healthcheck,
        "below": options.layers,
    }
    paths = (options.target, options.sources, options.out)
    if options.format:
        app_blob(*paths, **common, format=options.format, level=options.level)
    else:
        app_layer(*paths, **common)
