from __future__ import annotations

from pathlib import Path

from inseam.formats.debian.deb_testing import elf_bytes
from inseam.formats.distribution import Wheel
from inseam.formats.python.libraries import (
    LIBRARIES,
    NeededLibrary,
    WheelLibraries,
    libraries_of,
    load_libraries,
    write_libraries,
)
from inseam.formats.python.merge import MergeOptions, merge
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_testing import build_wheel
from inseam.formats.python.wheel_tree import Binary, WheelTree

X86, ARM = 62, 183


def tree(name: str, *binaries: Binary) -> WheelTree:
    return WheelTree(Wheel(name, "1", "0" * 64), f"{name}.whl", binaries, ())


def test_what_a_wheel_brings_itself_is_not_needed() -> None:
    one = tree(
        "one",
        Binary("opt/one/a.so", "x86_64", "", ("libgomp.so.1", "libown.so.2", "libother-1234.so.3")),
        Binary("opt/one.libs/libother-1234.so.3", "x86_64", "", ("libgomp.so.1",)),
        Binary("opt/one.libs/libown.so.2.0", "x86_64", "libown.so.2", ()),
    )
    assert libraries_of([one], "x86_64") == WheelLibraries(
        ("a.so", "libother-1234.so.3", "libown.so.2", "libown.so.2.0"),
        (NeededLibrary("libgomp.so.1", "one.whl", "opt/one.libs/libother-1234.so.3"),),
    )


def test_each_wheel_that_needs_a_library_is_named() -> None:
    trees = [tree(name, Binary(f"{name}.so", "x86_64", "", ("libx.so.1",))) for name in "ba"]
    assert libraries_of(trees, "x86_64").needed == (
        NeededLibrary("libx.so.1", "a.whl", "a.so"),
        NeededLibrary("libx.so.1", "b.whl", "b.so"),
    )


def test_binaries_for_other_machines_do_not_count() -> None:
    one = tree(
        "one",
        Binary("x.so", "x86_64", "", ("libx.so.1",)),
        Binary("libx.so.1", "aarch64", "libx.so.1", ("liba.so.1",)),
    )
    assert [need.name for need in libraries_of([one], "x86_64").needed] == ["libx.so.1"]
    assert libraries_of([one], "aarch64").names == ("libx.so.1",)
    assert libraries_of([one], None).needed == (NeededLibrary("liba.so.1", "one.whl", "libx.so.1"),)


def test_a_layer_says_what_its_wheels_have_and_need(tmp_path: Path) -> None:
    files = {
        "demo/fast.so": elf_bytes(
            X86, ["libc.so.6", "", "libgomp.so.1"], interpreter="/lib64/ld.so"
        ),
        "demo/arm.so": elf_bytes(ARM, ["libarm.so.1"]),
        "demo.libs/libz-12.so.1": elf_bytes(X86, soname="libz-12.so.1"),
        "demo/cut.so": elf_bytes(X86, ["libcut.so.1"])[:100],
        "demo/data.so": b"\x7fELG and so on",
    }
    install_wheel(build_wheel(tmp_path, files=files), tmp_path / "tree")
    merge("deps", [tmp_path / "tree"], tmp_path / "out", MergeOptions(machine="x86_64"))
    found = load_libraries((tmp_path / "out" / LIBRARIES).read_bytes())
    wheel = "demo-1.0-py3-none-any.whl"
    assert [one[:2] for one in found.needed] == [("libc.so.6", wheel), ("libgomp.so.1", wheel)]
    assert {one.path.rpartition("/")[2] for one in found.needed} == {"fast.so"}
    assert set(found.names) == {"cut.so", "fast.so", "libz-12.so.1"}


def test_libraries_are_read_as_they_were_written(tmp_path: Path) -> None:
    libraries = WheelLibraries(("libä.so",), (NeededLibrary("x", "y.whl", "\udcff"),))
    write_libraries(libraries, tmp_path)
    assert load_libraries((tmp_path / LIBRARIES).read_bytes()) == libraries
