from __future__ import annotations

from pathlib import Path

from inseam.sandbox.unit import Piece, Unit, Wheel, read_index, write_index

UNIT = Unit(
    Wheel("demo", "1.0+local.1", "ab" * 32),
    "demo-1.0+local.1-py3-none-any.whl",
    ("aarch64", "x86_64"),
    (Piece("opt/venv/ü \udcff.py", 0, 1024, "cd" * 32), Piece("opt/b", 1024, 2048, "ef" * 32)),
)


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_index(UNIT, tmp_path)
    assert read_index(tmp_path) == UNIT


def test_a_wheel_without_files_has_an_index_too(tmp_path: Path) -> None:
    unit = Unit(UNIT.wheel, UNIT.filename, (), ())
    write_index(unit, tmp_path)
    assert read_index(tmp_path) == unit


def test_the_same_unit_is_the_same_bytes(tmp_path: Path) -> None:
    write_index(UNIT, tmp_path / "a")
    write_index(read_index(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "a/unit.json").read_bytes() == (tmp_path / "b/unit.json").read_bytes()
