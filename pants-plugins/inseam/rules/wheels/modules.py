"""Unpacks wheels whose modules a program imports, such as those in Inseam's own locks."""

from __future__ import annotations

import pkgutil
from functools import cache

from pants.engine.fs import Digest

from inseam.compat import digest_to_snapshot
from inseam.plan.pex_lock import parse_pex_lock
from inseam.plan.python_lock import PythonLock
from inseam.rules.programs.host import Program, run_on_host


@cache
def shipped_python_lock(path: str) -> PythonLock:
    """A lock that comes with Inseam. path: from the rule set's folder, such as "build.lock"."""
    text = pkgutil.get_data("inseam", path)
    assert text is not None
    return parse_pex_lock(text, path, path.rpartition("/")[2].removesuffix(".lock"))


async def unpacked_modules(wheels: Digest, what: str) -> Digest:
    """A digest with the modules of wheels at its root.

    wheels: a digest with the wheels' files at its root. what: their description in Pants' log.
    """
    files = (await digest_to_snapshot(wheels)).files
    unpacked = await run_on_host(
        Program(
            argv=("unpack", "libraries", *files),
            input=wheels,
            output="libraries",
            description=f"Unpack {what}",
        )
    )
    digest: Digest = unpacked.digest
    return digest
