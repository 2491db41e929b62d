"""Compares locks of Debian packages with the current archive.

Usage: check_debs --out OUT [--vendor LOCATION] [--snapshot URL] [--allow-expired] LOCK...

Writes `check.json` (`formats.debian.updates`) to the folder OUT. The locations are those of
`fetch_deb`, and the environment variables those of `lock_debs`.
"""

from __future__ import annotations

import os
from pathlib import Path

from inseam.formats.arguments import ArgumentParser
from inseam.formats.debian.control import DebianError
from inseam.formats.debian.index import read_release
from inseam.formats.debian.lock import parse_lock
from inseam.formats.debian.mirror import find_mirrors
from inseam.formats.debian.release import Trust
from inseam.formats.debian.sources import Sources, as_url
from inseam.formats.debian.updates import REPORTS_FILE, check_lock, dump_reports
from inseam.formats.download import exists
from inseam.formats.files import write_whole


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    parser = ArgumentParser(prog="check_debs", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vendor", type=as_url, default="")
    parser.add_argument("--snapshot", type=as_url, default="")
    parser.add_argument("--allow-expired", action="store_true")
    parser.add_argument("locks", nargs="+", type=Path)
    options = parser.parse_args(argv)
    mirrors = find_mirrors(os.environ)
    reports = []
    for path in options.locks:
        try:
            lock = parse_lock(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise DebianError(f"cannot read the lock {path}: {error}") from None
        known = {suite.name: suite.date for suite in lock.suites}
        trust = Trust(allow_expired=options.allow_expired, known=known)
        index = read_release(mirrors, lock.request.release, lock.request.architectures, trust)
        sources = Sources(mirrors, options.vendor, options.snapshot, lock.timestamp)
        reports.append(check_lock(str(path), lock, index, sources, exists))
    write_whole(options.out / REPORTS_FILE, dump_reports(reports).encode())
