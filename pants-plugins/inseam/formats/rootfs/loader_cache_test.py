from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from inseam.formats.debian.deb_testing import Entry, deb_bytes, elf_bytes
from inseam.formats.rootfs.loader_cache import _cache, _compare
from inseam.formats.rootfs.rootfs_testing import INTERPRETER, built, content, debs, infos

FOLDER = "./usr/lib/x86_64-linux-gnu"
ENTRIES = [
    Entry(f"{FOLDER}/libz.so.1.2.13", elf_bytes(soname="libz.so.1")),
    Entry(f"{FOLDER}/libz.so.1", kind=b"2", link="libz.so.1.2.13"),
    Entry(f"{FOLDER}/libz.a", b"!<arch>\n"),
    Entry(f"{FOLDER}/libodd.so", elf_bytes()),
    Entry(f"{FOLDER}/libother.so.1", elf_bytes(183)),
    Entry(f"{FOLDER}/libtext.so", b"INPUT ( libz.so.1 )"),
    Entry(f"{FOLDER}/plugin.so", elf_bytes(soname="plugin.so")),
    Entry("./usr/lib/more/libmore.so.10", elf_bytes(soname="libmore.so.10")),
    Entry("./usr/lib/more/libmore.so.9", elf_bytes(soname="libmore.so.9")),
    Entry("./etc/ld.so.conf.d/more.conf", b"# ours\n/usr/lib/more/\n"),
]
TRIPLET = "/lib/x86_64-linux-gnu"
LISTED = {
    "ld-linux-x86-64.so.2": f"{TRIPLET}/ld-linux-x86-64.so.2",
    "libc.so.6": f"{TRIPLET}/libc.so.6",
    "libmore.so.10": "/usr/lib/more/libmore.so.10",
    "libmore.so.9": "/usr/lib/more/libmore.so.9",
    "libodd.so": f"{TRIPLET}/libodd.so",
    "libz.so.1": f"{TRIPLET}/libz.so.1",
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    built(tmp_path, debs(tmp_path, more=deb_bytes("more", ENTRIES)))
    path = tmp_path / "ld.so.cache"
    path.write_bytes(content(tmp_path, "etc/ld.so.cache"))
    return path


def listed(text: str) -> dict[str, str]:
    assert text.count(" (libc6,x86-64) => ") == int(text.split()[0])
    return dict(re.findall(r"^\t(\S+) \(libc6,x86-64\) => (\S+)$", text, re.MULTILINE))


@pytest.mark.skipif(not os.path.exists("/sbin/ldconfig"), reason="no ldconfig on this machine")
def test_ldconfig_reads_the_cache(cache: Path) -> None:
    command = ["/sbin/ldconfig", "-p", "-C", str(cache)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert listed(result.stdout) == LISTED


def test_the_script_lists_the_cache_as_ldconfig_does(cache: Path, tmp_path: Path) -> None:
    script = content(tmp_path, "usr/sbin/ldconfig").decode()
    assert script.startswith(f"#!{INTERPRETER} -ISB\n")
    assert infos(tmp_path)["usr/sbin/ldconfig"].mode == 0o755
    here = tmp_path / "ldconfig"
    here.write_text(script.replace('"/etc/ld.so.cache"', repr(str(cache))))
    command = [sys.executable, "-ISB", str(here)]
    result = subprocess.run([*command, "-p"], capture_output=True, text=True, check=True)
    assert listed(result.stdout) == LISTED
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_the_description_names_what_the_loader_finds(tmp_path: Path) -> None:
    rootfs = built(tmp_path, debs(tmp_path, more=deb_bytes("more", ENTRIES)))
    assert rootfs.libraries == tuple(sorted(LISTED))


def test_a_real_ldconfig_is_not_replaced(tmp_path: Path) -> None:
    real = deb_bytes("more", [Entry("./sbin/ldconfig", b"real", mode=0o755)])
    built(tmp_path, debs(tmp_path, more=real))
    assert content(tmp_path, "usr/sbin/ldconfig") == b"real"


@pytest.mark.parametrize(
    "smaller, larger",
    [
        ("liba.so.9", "liba.so.10"),
        ("liba.so", "liba.so.1"),
        ("liba.so.1", "liba1.so.1"),
        ("liba-b.so", "liba1.so"),
        ("liba.so.2", "libb.so.1"),
    ],
)
def test_names_are_in_the_order_in_which_the_loader_searches(smaller: str, larger: str) -> None:
    assert _compare(smaller, larger) < 0 < _compare(larger, smaller)
    assert _compare(smaller, smaller) == 0
    assert _cache({smaller: "/x", larger: "/y"}, 3) == _cache({larger: "/y", smaller: "/x"}, 3)


@pytest.mark.skipif(not os.path.exists("/etc/ld.so.cache"), reason="no cache on this machine")
def test_the_order_is_that_of_a_real_cache() -> None:
    data = Path("/etc/ld.so.cache").read_bytes()
    at = data.index(b"glibc-ld.so.cache1.1")
    count = int.from_bytes(data[at + 20 : at + 24], "little")
    names = []
    for index in range(count):
        place = at + 48 + 24 * index
        start = at + int.from_bytes(data[place + 4 : place + 8], "little")
        names.append(data[start : data.index(b"\0", start)].decode())
    assert count > 1
    assert names == sorted(names, key=functools.cmp_to_key(_compare), reverse=True)
