from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes
from inseam.formats.rootfs.rootfs_testing import MINOR, STDLIB, built, debs, infos

CURSES = Entry(
    f"{STDLIB}/lib-dynload/_curses.x.so", elf_bytes(needed=["libtinfo.so.6", "libc.so.6"])
)
JSON = Entry(f"{STDLIB}/lib-dynload/_json.x.so", elf_bytes(needed=["libc.so.6"]))
PACKAGE = Entry(f"{STDLIB}/curses/__init__.py", b"import _curses\n")
OMITTED = deb_bytes(
    f"libpython{MINOR}-stdlib", [CURSES, JSON, PACKAGE], fields="Depends: libtinfo6\n"
)
LIBRARY = Entry("./lib/x86_64-linux-gnu/libtinfo.so.6", elf_bytes())


@pytest.mark.parametrize("there", [False, True])
def test_modules_follow_the_libraries_that_are_there(tmp_path: Path, there: bool) -> None:
    more = {"stdlib": OMITTED, "tinfo": deb_bytes("libtinfo6", [LIBRARY] if there else [])}
    rootfs = built(tmp_path, debs(tmp_path, **more))
    stdlib = STDLIB[2:]
    found = infos(tmp_path)
    assert f"{stdlib}/lib-dynload/_json.x.so" in found
    assert (f"{stdlib}/lib-dynload/_curses.x.so" in found) is there
    assert (f"{stdlib}/curses/__init__.py" in found) is there
    assert rootfs.left_out_modules == (() if there else ("_curses", "curses"))
