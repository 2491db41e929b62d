"""A mirror and a snapshot archive of two small Debian packages, for tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from inseam.formats.debian.deb_testing import deb_bytes, locked, publish
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock
from inseam.formats.debian.package import DebianPackage
from inseam.formats.debian.request import parse_request
from inseam.formats.debian.suite import Suite, snapshot_timestamp

LIST = "[release]\nname = bookworm\narchitectures = amd64\n[base]\nhello\n[more]\nother\n"


DEBS = {name: deb_bytes(name) for name in ("hello", "other")}


HELLO, OTHER = (locked(data, name) for name, data in DEBS.items())


FIXED = locked(b"fixed", "hello", "1.0-1+deb12u1")


SUITES = (Suite("bookworm", "debian", "2024-01-01T00:00:00Z"),)


TIMESTAMP = snapshot_timestamp(SUITES)


LOCK = dump_lock(
    DebianLock(
        parse_request(LIST),
        {"amd64": (LockedPackage(HELLO), LockedPackage(OTHER, ("more",)))},
        SUITES,
        TIMESTAMP,
    )
)


BASE = "debian_base(name='debian', lock='locks/debian.json', platform='linux/amd64')\n"


GPGV = '#!/bin/sh\nfor one; do text="$signed"; signed="$one"; done\ncp "$signed" "$text"\n'


class Archive:
    """A mirror and a snapshot archive in a folder, and the environment that selects them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        gpgv = folder / "bin/gpgv"
        gpgv.parent.mkdir()
        gpgv.write_text(GPGV)
        gpgv.chmod(0o755)
        (folder / "keyring").touch()
        self.env = {
            "DEBIAN_MIRROR": folder.joinpath("mirror").as_uri(),
            "DEBIAN_KEYRING": str(folder / "keyring"),
            "PATH": f"{gpgv.parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.snapshot = folder.joinpath("archive").as_uri()

    def write(self, path: str, content: bytes) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def serve(self, *packages: DebianPackage) -> None:
        """Makes these the packages of the mirror."""
        shutil.rmtree(self.folder / "mirror", ignore_errors=True)
        files: dict[str, bytes] = {}
        publish(files, packages, "bookworm")
        for package in packages:
            content = DEBS.get(package.name, b"") if package != FIXED else b"fixed"
            files[f"{package.archive}/{package.path}"] = content
        for path, content in files.items():
            self.write(f"mirror/{path}", content)
