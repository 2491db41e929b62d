"""A base of small Debian packages with a CPython, from a mirror in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from pants.testutil.rule_runner import QueryRule, RuleRunner

from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes, locked, publish
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock
from inseam.formats.debian.package import load_package
from inseam.formats.debian.request import parse_request
from inseam.formats.rootfs.rootfs_testing import MINOR, PYTHON, STDLIB, debs
from inseam.rules.rule_testing import declared, rule_runner, set_options

LIST = (
    f"[release]\nname = bookworm\narchitectures = amd64\n[base]\npython{MINOR}-minimal\nhello\n"
    "[omit]\nlibreadline8 = no terminal\ndebconf = asks\n"
)


GPGV = '#!/bin/sh\nfor one; do text="$signed"; signed="$one"; done\ncp "$signed" "$text"\n'


def write_mirror(folder: Path) -> str:
    """Writes a mirror to the folder, and returns the text of a lock of its packages."""
    readline = Entry(
        f"{STDLIB}/lib-dynload/readline.cpython-{MINOR.replace('.', '')}-x86_64-linux-gnu.so",
        elf_bytes(needed=["libreadline.so.8"]),
    )
    python = deb_bytes(
        f"python{MINOR}-minimal", [*PYTHON, readline], version=f"{MINOR}.2-6", fields="Depends: x\n"
    )
    paths = [Path(path) for path in debs(folder / "debs", python=python)]
    packages = [load_package(Path(f"{path}.json").read_text()) for path in paths]
    files: dict[str, bytes] = {}
    publish(files, [*packages, locked(b"", "libgomp1")], "bookworm")
    for path, package in zip(paths, packages):
        files[f"debian/{package.path}"] = path.read_bytes()
    for name, content in files.items():
        place = folder / "mirror" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    found = tuple(LockedPackage(package) for package in packages)
    return dump_lock(DebianLock(parse_request(LIST), {"amd64": found}))


def debian_runner(folder: Path, *queries: QueryRule) -> RuleRunner:
    """A repository with the base `docker:debian`, whose mirror is in the folder."""
    lock = write_mirror(folder)
    gpgv = folder / "bin/gpgv"
    gpgv.parent.mkdir()
    gpgv.write_text(GPGV)
    gpgv.chmod(0o755)
    (folder / "keyring").touch()
    made = rule_runner(*queries)
    set_options(
        made,
        env={
            "DEBIAN_MIRROR": folder.joinpath("mirror").as_uri(),
            "DEBIAN_KEYRING": str(folder / "keyring"),
            "PATH": f"{gpgv.parent}{os.pathsep}{os.environ['PATH']}",
        },
    )
    made.write_files(
        {
            "docker/BUILD": declared(
                "debian_base", name="debian", lock="locks/debian.json", platform="linux/amd64"
            ),
            "docker/packages.ini": LIST,
            "locks/debian.json": lock,
        }
    )
    return made
