from __future__ import annotations

import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from inseam.formats.debian.control import DebianError
from inseam.formats.debian.deb import Deb, read_deb
from inseam.formats.debian.deb_testing import Entry, ar_bytes, deb_bytes, tar_bytes


def read(tmp_path: Path, data: bytes) -> Deb:
    path = tmp_path / "hello.deb"
    path.write_bytes(data)
    return read_deb(str(path))


@pytest.mark.parametrize("compression", ["", ".gz", ".xz"])
def test_a_package_is_read_whatever_packs_it(tmp_path: Path, compression: str) -> None:
    entries = [
        Entry("./", mode=0o755, kind=tarfile.DIRTYPE),
        Entry("./usr/bin/hello", b"program", mode=0o755),
        Entry("./usr/bin/again", kind=tarfile.LNKTYPE, link="./usr/bin/hello"),
        Entry("./usr/bin/short", kind=tarfile.SYMTYPE, link="hello"),
        Entry("./var/empty", mode=0o700, kind=tarfile.DIRTYPE),
    ]
    deb = read(tmp_path, deb_bytes(entries=entries, compression=compression))
    assert (deb.name, deb.version, deb.architecture) == ("hello", "1.0-1", "amd64")
    assert deb.control_text.startswith("Package: hello\n")
    assert deb.md5sums.endswith("  usr/bin/hello\n")
    found = {member.path: member for member in deb.members}
    assert set(found) == {"usr/bin/hello", "usr/bin/short", "var/empty"}
    assert (found["usr/bin/hello"].content, found["usr/bin/hello"].mode) == (b"program", 0o755)
    assert found["usr/bin/short"].link == "hello"
    assert found["var/empty"].directory
    assert deb.hard_links == {"usr/bin/again": "usr/bin/hello"}


@pytest.mark.parametrize(
    "entry, why",
    [
        (Entry("/etc/passwd", b"x"), "unusable path '/etc/passwd'"),
        (Entry("./usr/../../etc/passwd", b"x"), "unusable path"),
        (Entry("..", kind=tarfile.DIRTYPE), "unusable path"),
        (Entry("./dev/null", kind=tarfile.CHRTYPE), "is a device"),
        (Entry("./dev/sda", kind=tarfile.BLKTYPE), "is a device"),
        (Entry("./run/pipe", kind=tarfile.FIFOTYPE), "is a device"),
        (Entry("./a", kind=tarfile.LNKTYPE, link="./missing"), "/a links to /missing"),
        (Entry("./a", kind=tarfile.LNKTYPE, link="../etc/passwd"), "unusable path"),
        (Entry("./a", kind=tarfile.SYMTYPE), "the link /a has no target"),
        (Entry("./twice", b"y"), "/twice twice"),
    ],
)
def test_what_no_image_should_get_is_refused(tmp_path: Path, entry: Entry, why: str) -> None:
    with pytest.raises(DebianError, match=why) as caught:
        read(tmp_path, deb_bytes(entries=[Entry("./twice", b"x"), entry]))
    assert "Debian package hello 1.0-1" in str(caught.value)


def test_a_package_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    data = deb_bytes(entries=[Entry("./a", b"content" * 100)])
    for end in range(0, len(data) - 1, 13):
        with pytest.raises(DebianError):
            read(tmp_path, data[:end])


def test_a_package_with_a_flipped_byte_is_never_a_crash(tmp_path: Path) -> None:
    data = deb_bytes(entries=[Entry("./a", b"content" * 100)])
    for at in range(0, len(data), 11):
        with suppress(DebianError):
            read(tmp_path, data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])


GOOD_CONTROL = tar_bytes([Entry("./control", b"Package: a\nVersion: 1\nArchitecture: all\n")])


@pytest.mark.parametrize(
    "parts, why",
    [
        ([], "is not a Debian package of format 2"),
        ([("debian-binary", b"3.0\n")], "format 2"),
        ([("debian-binary", b"2.0\n")], "0 members control.tar"),
        ([("debian-binary", b"2.0\n"), ("control.tar", GOOD_CONTROL)], "0 members data.tar"),
        (
            [("debian-binary", b"2.0\n"), ("control.tar", tar_bytes([Entry("./x", b"")]))],
            "no control file",
        ),
        (
            [
                ("debian-binary", b"2.0\n"),
                ("control.tar", tar_bytes([Entry("./control", b"Package: a\nVersion: 1\n")])),
            ],
            "no Architecture field",
        ),
        ([("debian-binary", b"2.0\n"), ("control.tar.lz4", b"")], "unknown compression"),
        ([("debian-binary", b"2.0\n"), ("control.tar.xz", b"garbage")], "cannot unpack"),
        ([("debian-binary", b"2.0\n"), ("debian-binary", b"2.0\n")], "debian-binary twice"),
    ],
)
def test_a_damaged_package_is_named(
    tmp_path: Path, parts: list[tuple[str, bytes]], why: str
) -> None:
    with pytest.raises(DebianError, match=why) as caught:
        read(tmp_path, ar_bytes(parts))
    assert str(caught.value).startswith(("hello.deb", "Debian package a 1"))


def test_zstd_without_a_decoder_says_so(tmp_path: Path) -> None:
    try:
        import compression.zstd  # type: ignore[import-not-found,unused-ignore] # noqa: F401
    except ImportError:
        with pytest.raises(DebianError, match="cannot unpack"):
            read(tmp_path, deb_bytes(compression=".zst"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DebianError, match="cannot read"):
        read_deb(str(tmp_path / "missing.deb"))
