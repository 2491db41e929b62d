"""Lays out a service's large first-party files as a layer of their own, below its code.

Usage: python programs data --target ADDRESS --sources DIR --out OUT

Writes `data.tar`, and `layers.json` with this one layer, to the folder OUT.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from inseam.sandbox.code import files_below, source_members
from inseam.sandbox.command import Failure
from inseam.sandbox.files import whole
from inseam.sandbox.layer import LAYERS, Layer, write_layers
from inseam.sandbox.tar import TarError, write_tar

NAME = "data"


def data_layer(target: str, sources: Path, out: Path) -> Layer:
    """Writes the data layer of `target`: the files below `sources`, at their place in /app."""
    members = list(source_members(dict(files_below(sources))))
    tar = out / f"{NAME}.tar"
    try:
        with whole(tar) as file:
            info = write_tar(members, file)
    except TarError as error:
        raise Failure(f"{target}: {error}") from error
    layer = Layer(NAME, tar.name, info.diff_id, info.size)
    write_layers([layer], out / LAYERS)
    return layer


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="data", description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args(argv)
    data_layer(options.target, options.sources, options.out)
