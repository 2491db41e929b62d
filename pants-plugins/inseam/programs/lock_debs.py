"""Locks the Debian packages of a base image to what their mirrors have now.

Usage: lock_debs --packages LIST --output LOCK

LIST is what `debian_lock.parse_request` reads, LOCK what `debian_lock.dump_lock` writes. The
environment is that of `debian_mirror.find_mirrors` and `debian_index.find_keyring`; the programs
on PATH must include gpgv.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Mapping, Sequence

from inseam.formats.debian.closure import resolve
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import IndexEntry, newest, read_release
from inseam.formats.debian.lock import (
    BASE_GROUP,
    DebianLock,
    LockedPackage,
    Request,
    dump_lock,
    parse_request,
)
from inseam.formats.debian.mirror import find_mirrors
from inseam.formats.files import write_whole


def make_lock(request: Request, index: Mapping[str, Sequence[IndexEntry]]) -> DebianLock:
    """Resolves a request.

    index: architecture -> all packages of the release for it; the newest of each is taken.

    Raises DebianError for what cannot be resolved, and for a package in `omit` that nothing
    depends on any more.
    """
    packages = {}
    unused = set(request.omit)
    for architecture in request.architectures:
        candidates = newest(index[architecture])
        base = resolve(request.groups[BASE_GROUP], candidates, request.omit)
        unused -= base.omitted
        entries = dict(base.packages)
        groups = {name: [BASE_GROUP] for name in base.packages}
        for group in sorted(set(request.groups) - {BASE_GROUP}):
            roots = [*request.groups[BASE_GROUP], *request.groups[group]]
            closure = resolve(roots, candidates, request.omit)
            unused -= closure.omitted
            for name, entry in closure.packages.items():
                if name not in base.packages:
                    entries[name] = entry
                    groups.setdefault(name, []).append(group)
        packages[architecture] = tuple(
            _locked(entries[name], tuple(groups[name])) for name in sorted(entries)
        )
    if unused:
        raise DebianError(
            f"no package depends on {', '.join(sorted(unused))}. Remove it from the section [omit]."
        )
    return DebianLock(request, packages)


def _locked(entry: IndexEntry, groups: tuple[str, ...]) -> LockedPackage:
    return LockedPackage(
        name=entry.name,
        version=entry.version,
        architecture=entry.architecture,
        archive=entry.archive,
        path=entry.path,
        size=entry.size,
        sha256=entry.sha256,
        groups=groups,
    )


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="lock_debs")
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args(argv)
    try:
        text = arguments.packages.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DebianError(f"cannot read the list of Debian packages: {error}") from None
    request = parse_request(text, str(arguments.packages))
    index = read_release(find_mirrors(os.environ), request.release, request.architectures)
    write_whole(arguments.output, dump_lock(make_lock(request, index)).encode())
