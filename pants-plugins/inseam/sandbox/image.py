"""Makes a service's image: lays out its first-party code and puts it on the layers below.

Usage: python programs image --target ADDRESS --sources DIR --entry-point MODULE:FUNCTION
           [--healthcheck MODULE:FUNCTION] --config CONFIG --base BASE --out OUT
           [--reference NAME:TAG]... [--format gzip|zstd] [--level N] [LAYER...]

The options are those of `app`, `compress` and `assemble`, which this program does in one. LAYER...
are folders, lowest layer first, of which `paths.txt`, from `join`, and `descriptor.json`, from
`compress`, are read.

Writes to the folder OUT what `assemble` writes, and the blob of the app layer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import BinaryIO, Sequence, cast

from inseam.sandbox.app import NAME, app_members
from inseam.sandbox.assemble import Assembled, assemble, read_base, write_image
from inseam.sandbox.command import Failure
from inseam.sandbox.compress import MEDIA_TYPES, LayerWriter
from inseam.sandbox.descriptor import DESCRIPTOR, read_json, read_layer
from inseam.sandbox.image_config import ImageConfig, parse_config
from inseam.sandbox.tar import TarError, write_tar


def image(
    target: str,
    sources: Path,
    out: Path,
    *,
    entry_point: str,
    healthcheck: str | None,
    config: ImageConfig,
    base: Path,
    below: list[Path],
    references: Sequence[str] = (),
    format: str = "gzip",
    level: int | None = None,
) -> Assembled:
    """Writes the image of the service `target` to the folder `out`.

    Raises Failure as `app_members`, `LayerWriter` and `assemble` do.
    """
    members = app_members(
        target, sources, entry_point=entry_point, healthcheck=healthcheck, below=below
    )
    layers = [read_layer(folder / DESCRIPTOR) for folder in below]
    writer = LayerWriter(NAME, out, format=format, level=level)
    try:
        with writer:
            write_tar(members, cast(BinaryIO, writer))
    except TarError as error:
        raise Failure(f"{target}: {error}") from error
    assembled = assemble(
        target, config, [*layers, writer.layer], references=references, base=read_base(base)
    )
    write_image(assembled, config, out)
    return assembled


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="image", description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--entry-point", required=True)
    parser.add_argument("--healthcheck")
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--base", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--reference", action="append", default=[])
    parser.add_argument("--format", choices=sorted(MEDIA_TYPES), default="gzip")
    parser.add_argument("--level", type=int)
    parser.add_argument("layers", nargs="*", type=Path)
    options = parser.parse_args(argv)
    image(
        options.target,
        options.sources,
        options.out,
        entry_point=options.entry_point,
        healthcheck=options.healthcheck,
        config=parse_config(read_json(options.config), str(options.config)),
        base=options.base,
        below=options.layers,
        references=options.reference,
        format=options.format,
        level=options.level,
    )
