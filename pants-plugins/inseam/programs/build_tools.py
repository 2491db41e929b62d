"""Unpacks the Debian packages that builds of wheels run in, if they have no builder.

Usage: build_tools --architecture NAME --out OUT DEB...

Writes `OUT/tools.tar`, a root filesystem with a shell and bubblewrap. Next to each DEB is a file
that describes it. No script of a package is run.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.files import whole
from inseam.formats.rootfs.build import read_locked, root_members
from inseam.formats.rootfs.start import TOOLS_TAR
from inseam.formats.tar import write_tar

_NOT_NEEDED = ("usr/share/", "usr/src", "usr/games", "var/")


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="build_tools", description=__doc__)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("debs", nargs="+", metavar="DEB")
    options = parser.parse_args(argv)
    debs = [read_locked(path)[0] for path in sorted(options.debs)]
    # It contains no CPython.
    root = root_members(debs, options.architecture, "/bin/false")
    # Not compressed: nothing of it reaches an image, and each build unpacks it.
    members = [member for member in root.members if not member.path.startswith(_NOT_NEEDED)]
    with whole(options.out / TOOLS_TAR) as file:
        write_tar(members, file)
