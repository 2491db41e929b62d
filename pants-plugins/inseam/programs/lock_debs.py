"""Locks the Debian packages of a base image to the current versions on the mirrors.

Usage: lock_debs --packages LIST --output LOCK [--before LOCK] [--allow-expired]

LIST is in the format of `formats.debian.request`, LOCK in that of `formats.debian.lock`. --before
is the previous lock: indexes older than its own are refused. --allow-expired accepts indexes whose
dates are wrong. The environment variables are those of `mirror.find_mirrors` and
`signature.find_keyring`; gpgv must be on PATH.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Sequence

from inseam.formats.arguments import ArgumentParser
from inseam.formats.debian.closure import providers_of, resolve
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import Index, newest, read_release
from inseam.formats.debian.lock import DebianLock, LockedPackage, dump_lock, parse_lock
from inseam.formats.debian.mirror import find_mirrors, warn
from inseam.formats.debian.release import Trust
from inseam.formats.debian.request import BASE_GROUP, Request, parse_request
from inseam.formats.debian.suite import snapshot_timestamp
from inseam.formats.files import write_whole


def make_lock(request: Request, index: Index) -> DebianLock:
    """Resolves a request.

    index: that of the release; the newest version of each package is used.

    Raises DebianError for a dependency that cannot be resolved.
    """
    packages = {}
    unused = set(request.omit)
    for architecture in request.architectures:
        candidates = newest(index.packages[architecture])
        providers = providers_of(candidates)
        base = resolve(request.groups[BASE_GROUP], candidates, request.omit, providers)
        unused -= base.left_out
        entries = dict(base.packages)
        groups = {name: [BASE_GROUP] for name in base.packages}
        for group in sorted(set(request.groups) - {BASE_GROUP}):
            roots = [*request.groups[BASE_GROUP], *request.groups[group]]
            closure = resolve(roots, candidates, request.omit, providers)
            unused -= closure.left_out
            for name, entry in closure.packages.items():
                if name not in base.packages:
                    entries[name] = entry
                    groups.setdefault(name, []).append(group)
        packages[architecture] = tuple(
            LockedPackage(entries[name].package, tuple(groups[name])) for name in sorted(entries)
        )
    if unused:
        warn(
            f"nothing that can do without {', '.join(sorted(unused))} depends on it: the line in"
            " [omit] of the list of packages can be removed"
        )
    return DebianLock(request, packages, index.suites, snapshot_timestamp(index.suites))


def _lock_at(path: Path | None) -> DebianLock | None:
    """The previous lock; None if it is missing or unreadable, which locking again fixes."""
    if path is None:
        return None
    try:
        return parse_lock(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError):
        return None
    except DebianError as error:
        warn(f"the lock as it was cannot be read, so it is not compared with: {error}")
        return None


def main(argv: Sequence[str]) -> None:
    parser = ArgumentParser(prog="lock_debs")
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--allow-expired", action="store_true")
    arguments = parser.parse_args(argv)
    try:
        text = arguments.packages.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DebianError(f"cannot read the list of Debian packages: {error}") from None
    request = parse_request(text, str(arguments.packages))
    before = _lock_at(arguments.before)
    same = before is not None and before.request.release == request.release
    known = {suite.name: suite.date for suite in before.suites} if before and same else {}
    trust = Trust(allow_expired=arguments.allow_expired, known=known)
    mirrors = find_mirrors(os.environ)
    index = read_release(mirrors, request.release, request.architectures, trust)
    write_whole(arguments.output, dump_lock(make_lock(request, index)).encode())
