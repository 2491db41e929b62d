"""Turns the first-party files of a service into the inputs of its layers of code and data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable

from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest
from pants.core.target_types import FileSourceField
from pants.core.util_rules.source_files import SourceFilesRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    CreateDigest,
    Digest,
    FileEntry,
)
from pants.engine.target import SourcesField, Target

from inseam.compat import (
    add_prefix,
    concurrently,
    create_digest,
    determine_source_files,
    get_digest_entries,
    implicitly,
    prepare_python_sources,
    strip_python_sources,
)
from inseam.formats.failure import Failure
from inseam.formats.oci.layer import DATA_LAYER
from inseam.formats.python.entry_point import EntryPoint
from inseam.plan.code import split_code
from inseam.rules.base.base import Base
from inseam.rules.base.process import run_on
from inseam.rules.layers.distributions import FirstPartyDistribution
from inseam.rules.layers.layer import StoredLayer, layer_folder, stored_layer
from inseam.rules.programs.host import Program

SOURCES = "sources"  # the folder of first-party files in a digest


@dataclass(frozen=True)
class CodeSources:
    """First-party files that one process turns into fragments of layers."""

    name: str
    """As in `plan.code.CodeUnit`."""
    folder: str
    """As in `plan.code.CodeUnit`."""
    sources: Digest
    """A digest with the files, in the folder SOURCES."""
    entry_points: tuple[EntryPoint, ...] = ()
    """The entry points that the process checks."""
    own: bool = False
    """Whether the files belong to the service itself."""
    console_scripts: bool = False
    """Whether the process makes the console scripts of `entry_points`."""
    scripts: tuple[EntryPoint, ...] = ()
    """Console scripts of distributions, which the process also makes."""
    missing: tuple[str, ...] = ()
    """Standard modules that the files must not import."""
    writable_dirs: tuple[str, ...] = ()
    """The directories that the service may write to, each as "<uid>:<path>"."""


@dataclass(frozen=True)
class FirstParty:
    """First-party files."""

    code: tuple[FileEntry, ...]
    """All files except those in `data`."""
    data: Digest | None
    """Large files that are not Python, in the folder SOURCES; None if there are none."""


async def _below_sources(entries: Iterable[FileEntry]) -> Digest:
    digest = await create_digest(CreateDigest(entries))
    prefixed: Digest = await add_prefix(AddPrefix(digest, SOURCES))
    return prefixed


async def first_party(targets: Iterable[Target], large: int) -> FirstParty:
    """First-party files: sources at the paths by which they are imported, and files of `files`
    targets at their paths in the repository, which programs read relative to the working directory.

    large: size in bytes from which on files that are not Python go into `data`.
    """
    targets = tuple(targets)
    prepared = await prepare_python_sources(PythonSourceFilesRequest(targets), **implicitly())
    stripped = await strip_python_sources(prepared)
    loose = await determine_source_files(
        SourceFilesRequest(
            (target[SourcesField] for target in targets if target.has_field(SourcesField)),
            for_sources_types=(FileSourceField,),
            enable_codegen=True,
        )
    )
    imported = await get_digest_entries(stripped.stripped_source_files.snapshot.digest)
    read = await get_digest_entries(loose.snapshot.digest)
    by_path: dict[str, FileEntry] = {}
    for entry in (*imported, *read):
        if isinstance(entry, FileEntry):
            known = by_path.setdefault(entry.path, entry)
            if known != entry:
                raise Failure(
                    f"two files have the path /app/{entry.path}: one from a `files` target, and one"
                    " that is imported. Rename one of them, or use `relocated_files`."
                )
    data = [
        entry
        for entry in by_path.values()
        if not entry.path.endswith(".py") and entry.file_digest.serialized_bytes_length >= large
    ]
    held = {entry.path for entry in data}
    code = tuple(entry for path, entry in by_path.items() if path not in held)
    return FirstParty(code, await _below_sources(data) if data else None)


async def data_layer(data: Digest, base: Base) -> StoredLayer:
    made = await run_on(
        base.python,
        Program(
            argv=("data", f"--sources={SOURCES}", f"--out=out/{layer_folder(DATA_LAYER)}"),
            input=data,
            output="out",
            description=f"Make the layer {DATA_LAYER}",
        ),
    )
    return await stored_layer(DATA_LAYER, made.digest)


async def code_sources(
    code: Iterable[FileEntry],
    entry_points: tuple[EntryPoint, ...],
    distributions: Iterable[FirstPartyDistribution],
    missing: tuple[str, ...],
    writable_dirs: tuple[str, ...],
) -> tuple[CodeSources, ...]:
    """The inputs of a service's code layers. Sources without an entry point of the service do not
    refer to the service, so that all services with the same files share their fragments.
    """
    by_path = {entry.path: entry for entry in code}
    units = split_code(by_path)
    distributions = tuple(distributions)
    scripts = tuple(script for one in distributions for script in one.scripts)
    inside = [
        tuple(one for one in entry_points if set(one.files).intersection(unit.paths))
        for unit in units
    ]
    main = next((n for n, found in enumerate(inside) if entry_points[:1] == found[:1] != ()), None)
    digests = await concurrently(
        _below_sources(by_path[path] for path in unit.paths) for unit in units
    )
    found = [
        CodeSources(unit.name, unit.folder, digest, inside[number], missing=missing)
        for number, (unit, digest) in enumerate(zip(units, digests))
    ]
    if main is None:
        found.append(CodeSources("no package", "", EMPTY_DIGEST))
    number = len(units) if main is None else main
    found[number] = replace(
        found[number],
        entry_points=entry_points,
        own=True,
        console_scripts=True,
        scripts=scripts,
        writable_dirs=writable_dirs,
    )
    own = set(units[main].paths) if main is not None else set()
    metadata = await concurrently(
        add_prefix(AddPrefix(one.digest, SOURCES)) for one in distributions
    )
    found += [
        CodeSources(one.folder, "", digest, own=bool(own.intersection(one.paths)))
        for one, digest in zip(distributions, metadata)
    ]
    return tuple(found)
