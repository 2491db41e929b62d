"""Pushes an image from its layout to a registry.

Usage: push [--timeout SECONDS] IMAGE

IMAGE is a layout that `export` wrote; it is pushed under the names in its `image.json`. SECONDS
limits the wait for each response of the registry. Prints a line `NAME@DIGEST` for each name to
stdout, and what was sent to stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.oci.metadata import read_packaged
from inseam.tools.push import push, summary
from inseam.tools.registry import STALL


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="push", description=__doc__)
    parser.add_argument("--timeout", type=float, default=STALL)
    parser.add_argument("image", type=Path)
    options = parser.parse_args(argv)
    image = read_packaged(options.image)
    for pushed in push(options.image, timeout=options.timeout):
        print(pushed.reference, flush=True)
        print(summary(image, pushed), file=sys.stderr)
