"""Writes a service's large first-party files as a separate layer below its code.

Usage: data --sources DIR --out OUT

Writes `data.tar` and `layer.json` (`Layer`) to the folder OUT.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.failure import Failure
from inseam.formats.files import whole
from inseam.formats.oci.layer import DATA_LAYER, Layer, write_layer
from inseam.formats.python.sources import files_below, source_members
from inseam.formats.tar import TarError, write_tar


def write_data(sources: Path, out: Path) -> Layer:
    """Writes the files below `sources` as a layer, at their paths in /app, to the folder `out`.

    Raises Failure for a file that no layer can hold.
    """
    members = list(source_members(dict(files_below(sources))))
    try:
        with whole(out / f"{DATA_LAYER}.tar") as file:
            info = write_tar(members, file)
    except TarError as error:
        raise Failure(str(error)) from error
    layer = Layer(DATA_LAYER, info.diff_id, info.size)
    write_layer(layer, out)
    return layer


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="data", description=__doc__)
    parser.add_argument("--sources", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args(argv)
    write_data(options.sources, options.out)
