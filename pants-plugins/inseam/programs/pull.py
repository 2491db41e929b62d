"""Fetches a base image from a registry, with its layers.

Usage: pull --platform PLATFORM --python VERSION --interpreter PATH --libc "FAMILY VERSION"
            --out OUT NAME[:TAG]@DIGEST

Writes the image to the folder OUT (see `tools.pull`). --python, --interpreter and --libc describe
what it provides to the layers on top of it.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.oci.config import Runtime, parse_platform
from inseam.tools.pull import pull


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="pull", description=__doc__)
    parser.add_argument("--platform", required=True, type=parse_platform)
    parser.add_argument("--python", required=True)
    parser.add_argument("--interpreter", required=True)
    parser.add_argument("--libc", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("image")
    options = parser.parse_args(argv)
    runtime = Runtime(options.python, options.interpreter, options.libc)
    pull(options.image, options.out, platform=options.platform, runtime=runtime)
