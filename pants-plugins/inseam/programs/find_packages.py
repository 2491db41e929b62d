"""Finds the Debian packages that probably contain shared libraries, in the signed indexes.

Usage: find_packages --release RELEASE --architecture ARCHITECTURE --out OUT [--allow-expired]
           LIBRARY...

Writes `packages.json` to the folder OUT: names of packages by library, for the libraries that were
found. The environment variables are those of `lock_debs`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.debian.index import read_release
from inseam.formats.debian.libraries import PACKAGES_FILE, likely_package
from inseam.formats.debian.mirror import find_mirrors
from inseam.formats.debian.release import Trust
from inseam.formats.files import write_whole


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="find_packages", description=__doc__)
    parser.add_argument("--release", required=True)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--allow-expired", action="store_true")
    parser.add_argument("libraries", nargs="+")
    options = parser.parse_args(argv)
    index = read_release(
        find_mirrors(os.environ),
        options.release,
        [options.architecture],
        Trust(allow_expired=options.allow_expired),
    )
    names = {entry.name for entry in index.packages[options.architecture]}
    likely = {library: likely_package(library, names) for library in sorted(options.libraries)}
    found = {library: package for library, package in likely.items() if package}
    write_whole(options.out / PACKAGES_FILE, json.dumps(found).encode())
