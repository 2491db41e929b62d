"""The lists of Debian packages that come with Inseam: what is locked gives a Python that runs."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from bases.roots import fetched, locked, made, printed
from inseam.formats.debian.facts import facts_of

WORKS = """
import asyncio, bz2, ctypes, decimal, hashlib, json, lzma, os, sqlite3, ssl, sys, zlib, zoneinfo
assert sqlite3.connect(":memory:").execute("select json_extract('[7]', '$[0]')").fetchone() == (7,)
for codec in bz2, lzma, zlib:
    assert codec.decompress(codec.compress(b"x" * 1000)) == b"x" * 1000
assert hashlib.new("sha3_256").digest_size == 32
stale = [name for name, module in sys.modules.items()
         if getattr(module, "__cached__", None) and not os.path.exists(module.__cached__)]
print(json.dumps(["%d.%d.%d" % sys.version_info[:3], sys.implementation.cache_tag, stale]))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it starts programs for amd64")
@pytest.mark.parametrize("name", ["trixie", "forky"])
def test_the_python_of_a_ready_list_runs_from_its_own_bytecode(name: str, tmp_path: Path) -> None:
    packages = locked(name)
    facts = facts_of(packages)
    rootfs = made(tmp_path, facts.interpreter, fetched(packages, tmp_path / "debs"))
    assert (rootfs.python_version, rootfs.glibc_version) == (
        facts.python_version,
        str(facts.glibc),
    )
    # Of the standard library nothing is missing but what the list leaves out.
    assert {"_dbm", "curses", "readline"} <= set(rootfs.left_out_modules)
    assert not {"_ssl", "_sqlite3", "_ctypes", "_lzma", "_uuid"} & set(rootfs.left_out_modules)
    assert rootfs.content_size < 70_000_000
    tag = "cpython-" + "".join(facts.python_version.split(".")[:2])
    assert printed(tmp_path, facts.interpreter, WORKS) == [facts.python_version, tag, []]
