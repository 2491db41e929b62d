from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes
from inseam.formats.rootfs.links import resolve
from inseam.formats.rootfs.rootfs_testing import LOADER, built, debs, infos, refused
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
    ],
)
def test_what_links_and_programs_need_must_be_there(tmp_path: Path, entry: Entry, why: str) -> None:
    assert why in refused(tmp_path, debs(tmp_path, more=deb_bytes("more", [entry])))


@pytest.mark.parametrize(
    "library, depends, advice",
    [
        ("libtinfo.so.6", "libtinfo6 (>= 6)", "which the package libtinfo6 has: remove the line"),
        ("libdb-5.3.so", "debconf, libdb5.3t64", "which the package libdb5.3t64 has: remove"),
        ("libodd.so", "debconf | cdebconf, libstrange1", "(likely: debconf or cdebconf or libstr"),
        ("libgone.so.1", "libc6", "(likely: libgone1 or libgone1t64 or libgone-1"),
    ],
)
def test_a_missing_library_names_its_package_and_the_line_to_change(
    tmp_path: Path, library: str, depends: str, advice: str
) -> None:
    program = Entry("./usr/bin/x", elf_bytes(needed=[library], interpreter=LOADER), mode=0o755)
    more = deb_bytes("more", [program], fields=f"Depends: {depends}\n")
    error = refused(tmp_path, debs(tmp_path, more=more))
    assert f"/usr/bin/x of Debian package more 1.0-1 needs {library}" in error
    assert advice in error
    assert "[omit]" in error


def test_a_plug_in_may_need_what_its_package_does_not_depend_on(tmp_path: Path) -> None:
    plug_in = Entry("./usr/lib/more/plug-in.so", elf_bytes(needed=["libgone.so.1"]))
    built(tmp_path, debs(tmp_path, more=deb_bytes("more", [plug_in], fields="Depends: libc6\n")))
    assert "usr/lib/more/plug-in.so" in infos(tmp_path)
    depends = "Depends: libgone1\n"
    other = tmp_path / "other"
    error = refused(other, debs(other, more=deb_bytes("more", [plug_in], fields=depends)))
    assert "which the package libgone1 has" in error
