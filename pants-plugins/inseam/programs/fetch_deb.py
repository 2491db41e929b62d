"""Fetches one locked Debian package from a mirror.

Usage: fetch_deb --name NAME --version VERSION --architecture ARCHITECTURE
           --archive ARCHIVE --path POOL_PATH --size BYTES --sha256 HEX
           --release RELEASE --output DEB [--allow-newer]

The package is described as the lock does it (`formats.debian.lock.LockedPackage.fetch_arguments`).
DEB appears only once size and sha256 are right. The mirrors are those of DEBIAN_MIRROR, else of the
machine's own apt sources; proxies are those of http_proxy and its like.

With --allow-newer, a package that no mirror has any more is replaced by the newest version in
RELEASE (a code name, for example bookworm) that Debian's keys sign, with a warning.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from inseam.formats.debian.fetch import fetch, fetch_newer, gone_error
from inseam.formats.debian.lock import LockedPackage
from inseam.formats.debian.mirror import find_mirrors
from inseam.formats.download import Gone


def main(argv: list[str]) -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="fetch_deb", description=__doc__)
    for option in ("name", "version", "architecture", "archive", "path", "sha256", "release"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--allow-newer", action="store_true")
    arguments = parser.parse_args(argv)
    package = LockedPackage(
        name=arguments.name,
        version=arguments.version,
        architecture=arguments.architecture,
        archive=arguments.archive,
        path=arguments.path,
        size=arguments.size,
        sha256=arguments.sha256,
    )
    mirrors = find_mirrors(os.environ)
    try:
        fetch(package, mirrors, arguments.output, arguments.release)
    except Gone as gone:
        if not arguments.allow_newer:
            raise gone_error(package, gone, arguments.release) from None
        fetch_newer(package, mirrors, arguments.output, arguments.release, gone)
