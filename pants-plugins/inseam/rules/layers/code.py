"""Rules that compile first-party code once, and merge it into the layers of services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pants.backend.python.dependency_inference.subsystem import PythonInferSubsystem
from pants.engine.fs import MergeDigests
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import (
    CALL_BY_NAME,
    concurrently,
    get_digest_contents,
    implicitly,
    merge_digests,
    reads_one_import_of_several,
    rule,
)
from inseam.formats.compression import LAYER_TYPES
from inseam.formats.failure import Failure, failing_in
from inseam.formats.oci.descriptor import Descriptor, blob_path
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.layout import digest_of
from inseam.formats.python.code import (
    APP_LAYER,
    CODE_BLOB,
    CODE_IMPORTS,
    CODE_INDEX,
    CODE_MENTIONS,
    CODE_TAR,
    CODE_TERMINATION,
    LIBRARIES_LAYER,
    Code,
    merge_code,
)
from inseam.formats.python.installed import NAMES, PATHS, first_name, load_names
from inseam.formats.python.termination import (
    Endless,
    Termination,
    load_termination,
    merged_termination,
)
from inseam.rules.base.base import BasePython
from inseam.rules.base.process import run_on
from inseam.rules.generate.base import service_of
from inseam.rules.layers.compressors import CompressorsRequest, compressors
from inseam.rules.layers.first_party import SOURCES, CodeSources
from inseam.rules.layers.layer import StoredLayer, layer_tar, only_file
from inseam.rules.layers.service import (
    DependencyLayers,
    ServiceRequest,
    dependency_layers,
    layers_with_names,
)
from inseam.rules.programs.digests import file_content, written
from inseam.rules.programs.host import Program


@dataclass(frozen=True)
class CodeLayerRequest:
    """Asks for a layer of first-party code: its name, and what it is merged from."""

    name: str
    code: tuple[CodeSources, ...]
    compression: str
    """Either "gzip" or "zstd" for a blob; "" for a tar."""
    python: BasePython
    """The CPython that compiles the code."""


@dataclass(frozen=True)
class CodeLayersRequest:
    """Asks for the layers of a service's code."""

    service: ServiceRequest
    compression: str = ""
    """As of CodeLayerRequest."""


class Mention(NamedTuple):
    """A string that may name a module."""

    path: str
    """Path of the file that has it, as it is imported."""
    line: int
    name: str
    """As "shop.plugins" or "shop.plugins.make"."""


@dataclass(frozen=True)
class CodeLayer:
    """A layer of code, and what its sources say."""

    layer: StoredLayer
    mentions: tuple[Mention, ...]
    """Strings that may name modules."""
    termination: Termination
    """What ends the programs in it."""


@dataclass(frozen=True)
class CodeLayers:
    """The layers of a service's code, lowest first: `libs`, if there is code outside the package
    with the entry point, and `app`, with that package and the console scripts.
    """

    layers: tuple[StoredLayer, ...]
    mentions: tuple[Mention, ...] = ()
    """Strings in the code that may name modules."""
    endless: tuple[Endless, ...] = ()
    """Programs that SIGTERM does not end if they are the first process of a container."""


async def check_code(dependencies: DependencyLayers, wheel_layers: tuple[StoredLayer, ...]) -> None:
    """Raises Failure if code and the wheels in these layers hide each other, or if an entry point
    is in neither.
    """
    conflicting = await layers_with_names(wheel_layers, dependencies.names)
    if not conflicting and not dependencies.outside:
        return
    paths = await concurrently(only_file(layer, PATHS) for layer in conflicting)
    sources = (code.sources for code in dependencies.code)
    await run_on(
        dependencies.base.python,
        Program(
            argv=(
                "check_code",
                f"--sources={SOURCES}",
                *(f"--entry-point={entry_point}" for entry_point in dependencies.entry_points),
                *(layer.folder for layer in conflicting),
            ),
            input=await merge_digests(MergeDigests([*sources, *paths])),
            output="nothing",
            description="Compare code with "
            + (", ".join(layer.name for layer in conflicting) or "its entry points"),
        ),
    )


async def _compiled_files(
    code: CodeSources, format: str, python: BasePython
) -> Mapping[str, bytes]:
    libraries = await compressors(CompressorsRequest(python), **implicitly())
    result = await run_on(
        python,
        Program(
            argv=(
                "code",
                f"--sources={SOURCES}",
                f"--folder={code.folder}",
                "--out=code",
                f"--format={format}",
                *(f"--entry-point={entry_point}" for entry_point in code.entry_points),
                *(["--console-scripts"] if code.console_scripts else []),
                *(f"--script={script}" for script in code.scripts),
                *(f"--missing={name}" for name in code.missing),
                *(f"--writable-dir={path}" for path in code.writable_dirs),
            ),
            input=code.sources,
            output="code",
            libraries=libraries.digest,
            description=f"Compile the code in {code.name}",
        ),
    )
    return {file.path: file.content for file in await get_digest_contents(result.digest)}


async def _compiled(
    code: CodeSources, format: str, python: BasePython
) -> tuple[Code, tuple[Mention, ...], Termination]:
    files = await _compiled_files(code, format, python)
    mentions = tuple(Mention(*one) for one in json.loads(files[CODE_MENTIONS]))
    termination = load_termination(files[CODE_TERMINATION])
    return Code(files[CODE_INDEX], files[CODE_TAR], files[CODE_BLOB]), mentions, termination


async def _check_imports(dependencies: DependencyLayers, format: str) -> None:
    """Raises Failure for a module that is named in an `import a, b` and missing from the service.

    Pants' Rust parser sees only the first module in such a statement, so the others are not
    dependencies of any target.
    """
    python = dependencies.base.python
    found = await concurrently(_compiled_files(code, format, python) for code in dependencies.code)
    wanted = [
        (path, line, module)
        for files in found
        for path, line, module in json.loads(files[CODE_IMPORTS])
        if not _holds(dependencies.paths, module)
        # Those that no distribution provides were refused when the code was compiled.
        and first_name(module) not in dependencies.base.missing_modules
    ]
    if not wanted:
        return
    names = frozenset(first_name(module) for _, _, module in wanted)
    in_wheels: frozenset[str] = frozenset()
    for layer in await layers_with_names(dependencies.wheel_layers, names):
        in_wheels |= load_names(await file_content(layer.digest, f"{layer.folder}/{NAMES}"))
    for path, line, module in wanted:
        if first_name(module) not in in_wheels:
            other = "" if CALL_BY_NAME else ", or set [python-infer].use_rust_parser to false"
            raise Failure(
                f"{path}, line {line}, imports {module} as one of several modules, of which the"
                " Rust parser of this version of Pants sees only the first. Import each in a"
                f" statement of its own{other}."
            )


def _holds(paths: frozenset[str], module: str) -> bool:
    stem = module.replace(".", "/")
    return bool(paths.intersection((f"{stem}.py", f"{stem}/__init__.py"))) or any(
        path.startswith(f"{stem}/") for path in paths
    )


@rule(desc="Merge a layer of code", level=LogLevel.DEBUG)
async def code_layer(request: CodeLayerRequest) -> CodeLayer:
    # Also for a tar, so that both kinds of image use the same processes.
    format = request.compression or "gzip"
    made = await concurrently(_compiled(code, format, request.python) for code in request.code)
    mentions = tuple(one for _, found, _ in made for one in found)
    termination = merged_termination(one for _, _, one in made)
    # Concatenating a few kilobytes needs no process.
    tar, content = merge_code(code for code, _, _ in made)
    layer = Layer(request.name, digest_of(tar), len(tar))
    if not request.compression:
        stored = StoredLayer(layer, await written({layer_tar(layer.name): tar}))
        return CodeLayer(stored, mentions, termination)
    blob = Descriptor(LAYER_TYPES[request.compression], digest_of(content), len(content))
    path = blob_path(Path(), blob.digest).as_posix()
    stored = StoredLayer(layer._replace(blob=blob), await written({path: content}))
    return CodeLayer(stored, mentions, termination)


@rule(desc="Make the layers of a service's code", level=LogLevel.DEBUG)
async def code_layers(request: CodeLayersRequest, inference: PythonInferSubsystem) -> CodeLayers:
    service = service_of(request.service.address)
    dependencies = await dependency_layers(request.service, **implicitly())
    own = tuple(code for code in dependencies.code if code.own)
    others = tuple(code for code in dependencies.code if not code.own)
    python = dependencies.base.python
    with failing_in(service):
        await check_code(dependencies, dependencies.wheel_layers)
        layers = await concurrently(
            code_layer(CodeLayerRequest(name, code, request.compression, python), **implicitly())
            for name, code in ((LIBRARIES_LAYER, others), (APP_LAYER, own))
            if code
        )
        if reads_one_import_of_several(inference):
            await _check_imports(dependencies, request.compression or "gzip")
    return CodeLayers(
        tuple(one.layer for one in layers),
        tuple(one for made in layers for one in made.mentions),
        merged_termination(one.termination for one in layers).endless,
    )


def rules() -> list[Any]:
    return [*collect_rules()]
