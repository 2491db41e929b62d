from __future__ import annotations

from pathlib import Path

from inseam.formats.distribution import Wheel
from inseam.formats.python.wheel_tree import Binary, TreeFile, WheelTree, read_tree, write_tree

TREE = WheelTree(
    Wheel("demo", "1.0+local.1", "ab" * 32),
    "demo-1.0+local.1-py3-none-any.whl",
    (
        Binary("opt/venv/b.so", "x86_64", "libb.so.1", ("libc.so.6", "libz.so.1")),
        Binary("opt/b", "aarch64", "", ()),
    ),
    (
        TreeFile("opt/venv/ü \udcff.py", 0, 1024, "cd" * 32),
        TreeFile("opt/b", 1024, 2048, "ef" * 32),
    ),
    (("distutils", "ü \udcff.py"),),
)


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_tree(TREE, tmp_path)
    assert read_tree(tmp_path) == TREE


def test_a_wheel_without_files_has_an_index_too(tmp_path: Path) -> None:
    tree = WheelTree(TREE.wheel, TREE.filename, (), ())
    write_tree(tree, tmp_path)
    assert read_tree(tmp_path) == tree


def test_the_same_wheel_tree_is_the_same_bytes(tmp_path: Path) -> None:
    write_tree(TREE, tmp_path / "a")
    write_tree(read_tree(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "a/tree.json").read_bytes() == (tmp_path / "b/tree.json").read_bytes()
