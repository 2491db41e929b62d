"""Loads an image from its layout into Docker or podman.

Usage: load [--client docker|podman] IMAGE

IMAGE is a layout that `export` wrote. Without --client, Docker is used if it works, otherwise
podman. Prints the image's ID to stdout, and what was transferred to stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.tools.client import CLIENTS
from inseam.tools.load import load


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="load", description=__doc__)
    parser.add_argument("--client", choices=CLIENTS)
    parser.add_argument("image", type=Path)
    options = parser.parse_args(argv)
    loaded = load(options.image, client=options.client)
    moved = "" if loaded.moved is None else f", which had to get {loaded.moved} bytes of layers"
    print(loaded.image_id)
    print(f"{', '.join(loaded.references)} is in {loaded.client}{moved}.", file=sys.stderr)
