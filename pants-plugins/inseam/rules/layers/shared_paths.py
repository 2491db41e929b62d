"""Rules that find the paths at which two distributions of an image install a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pants.engine.fs import MergeDigests
from pants.engine.rules import collect_rules
from pants.util.logging import LogLevel

from inseam.compat import concurrently, merge_digests, rule
from inseam.formats.python.installed import PATHS
from inseam.formats.python.shared_path import (
    SHARED,
    Preference,
    SharedPath,
    canonical,
    load_shared,
)
from inseam.rules.base.base import BasePython
from inseam.rules.base.process import run_on
from inseam.rules.layers.layer import StoredLayer, only_file
from inseam.rules.programs.digests import file_content
from inseam.rules.programs.host import Program


def preferences(prefer: Mapping[str, str] | None) -> tuple[Preference, ...]:
    """The entries of a field `prefer`, sorted."""
    given = (prefer or {}).items()
    return tuple(sorted(Preference(key, canonical(winner)) for key, winner in given))


def arguments(prefer: Iterable[Preference]) -> tuple[str, ...]:
    """Preferences as arguments of a program."""
    return tuple(f"--prefer={winner}:{key}" for key, winner in prefer)


@dataclass(frozen=True)
class SharedPathsRequest:
    """The layers of wheels of an image, lowest first."""

    layers: tuple[StoredLayer, ...]
    python: BasePython
    prefer: tuple[Preference, ...] = ()


@dataclass(frozen=True)
class SharedPaths:
    """The paths at which two distributions of an image install a file."""

    paths: tuple[SharedPath, ...]


# Separate from the check of an image, so that an edit of code does not request this again.
@rule(desc="Compare the files of distributions", level=LogLevel.DEBUG)
async def shared_paths(request: SharedPathsRequest) -> SharedPaths:
    layers = request.layers
    texts = await concurrently(
        file_content(layer.digest, f"{layer.folder}/{SHARED}") for layer in layers
    )
    found = [path for text in texts for path in load_shared(text)]
    if len(layers) > 1:
        held = await concurrently(only_file(layer, PATHS) for layer in layers)
        compared = await run_on(
            request.python,
            Program(
                argv=(
                    "compare_layers",
                    "--out=out",
                    *arguments(request.prefer),
                    *(layer.folder for layer in layers),
                ),
                input=await merge_digests(MergeDigests(held)),
                output="out",
                description=f"Compare the layers {', '.join(layer.name for layer in layers)}",
            ),
        )
        found += load_shared(await file_content(compared.digest, SHARED))
    return SharedPaths(tuple(found))


def rules() -> list[Any]:
    return [*collect_rules()]
