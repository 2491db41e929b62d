from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes
from inseam.formats.rootfs.checks import resolve
from inseam.formats.rootfs.rootfs_testing import built, debs, infos, refused
from inseam.formats.tar import Member


@pytest.mark.parametrize(
    "path, expected",
    [
        ("a/file", "a/file"),
        ("link/file", "a/file"),
        ("b/up", "a/file"),
        ("/b/absolute/../x", "x"),
        ("ring", None),
        ("../../a", "a"),
    ],
)
def test_paths_are_resolved_as_the_kernel_does(path: str, expected: str | None) -> None:
    members = {
        "link": Member("link", link="a"),
        "b/up": Member("b/up", link="../link/./file"),
        "b/absolute": Member("b/absolute", link="/a"),
        "ring": Member("ring", link="ring2"),
        "ring2": Member("ring2", link="ring"),
    }
    assert resolve(path, members) == expected


def test_no_link_leads_nowhere(tmp_path: Path) -> None:
    built(tmp_path, debs(tmp_path))
    found = infos(tmp_path)
    members = {
        name: Member(name, link=info.linkname if info.issym() else None)
        for name, info in found.items()
    }
    for name, info in found.items():
        if info.issym() and name != "etc/mtab":
            assert resolve(name, members) in found, name


@pytest.mark.parametrize(
    "entry, why",
    [
        (
            Entry("./usr/lib/libx.so", elf_bytes(needed=["libgone.so.1"])),
            "/usr/lib/libx.so of Debian package more 1.0-1 needs libgone.so.1",
        ),
        (
            Entry("./usr/bin/x", elf_bytes(interpreter="/lib/ld-gone.so")),
            "/usr/bin/x of Debian package more 1.0-1 needs /lib/ld-gone.so",
        ),
        (Entry("./usr/lib/libx.so", elf_bytes(needed=["a"])[:130]), "a damaged /usr/lib/libx.so"),
        (
            Entry("./usr/lib/x", kind=tarfile.SYMTYPE, link="../gone"),
            "Debian package more 1.0-1 has the link /usr/lib/x to ../gone",
        ),
        (Entry("./usr/lib/x", kind=tarfile.SYMTYPE, link="x"), "has the link /usr/lib/x to x"),
    ],
)
def test_what_links_and_programs_need_must_be_there(tmp_path: Path, entry: Entry, why: str) -> None:
    assert why in refused(tmp_path, debs(tmp_path, more=deb_bytes("more", [entry])))
