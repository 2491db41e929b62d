"""Fetches one locked Debian package.

Usage: fetch_deb --name NAME --version VERSION --architecture ARCHITECTURE --archive ARCHIVE
           --path PATH --size BYTES --sha256 HEX --release RELEASE --out OUT [--vendor LOCATION]
           [--snapshot URL --timestamp TIME]
           [--allow-newer [--allow-expired] [--known SUITE=DATE]...]

The first options are the fields of the package (`formats.debian.package`). Writes two files to the
folder OUT: the .deb, after its size and sha256 have been verified, and next to it a file with the
suffix .json that describes it. The mirrors come from DEBIAN_MIRROR, or otherwise from the machine's
apt sources; proxies come from http_proxy and similar variables.

--vendor is a folder, or the URL of one, with vendored packages, which are tried first. --snapshot
is the URL of a snapshot archive, which is tried last; TIME is the folder in it
(`formats.debian.sources`).

With --allow-newer, a package that no mirror has any more is replaced, with a warning, by the newest
version in RELEASE (a code name, for example bookworm) that Debian's keys sign. The indexes must not
be older than the dates in --known, and not expired unless --allow-expired is given.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.debian.fetch import fetch, fetch_newer, gone_error
from inseam.formats.debian.mirror import find_mirrors
from inseam.formats.debian.package import DebianPackage, dump_package
from inseam.formats.debian.release import Trust
from inseam.formats.debian.sources import Sources, as_url
from inseam.formats.download import Gone
from inseam.formats.files import write_whole


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="fetch_deb", description=__doc__)
    for field in fields(DebianPackage):
        kind = int if field.name == "size" else str
        parser.add_argument(f"--{field.name}", type=kind, required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vendor", type=as_url, default="")
    parser.add_argument("--snapshot", type=as_url, default="")
    parser.add_argument("--timestamp", default="")
    parser.add_argument("--allow-newer", action="store_true")
    parser.add_argument("--allow-expired", action="store_true")
    parser.add_argument("--known", action="append", default=[])
    arguments = parser.parse_args(argv)
    package = DebianPackage(
        **{field.name: getattr(arguments, field.name) for field in fields(DebianPackage)}
    )
    sources = Sources(
        find_mirrors(os.environ), arguments.vendor, arguments.snapshot, arguments.timestamp
    )
    output = arguments.out / package.file_name
    try:
        fetch(package, sources, output)
    except Gone as gone:
        if not arguments.allow_newer:
            raise gone_error(package, gone) from None
        known = dict(suite.split("=", 1) for suite in arguments.known)
        trust = Trust(allow_expired=arguments.allow_expired, known=known)
        package = fetch_newer(package, sources, output, arguments.release, gone, trust)
    description = f"{dump_package(package)}\n".encode()
    write_whole(output.with_name(f"{output.name}.json"), description)
