from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.python.repack import BuiltMetadata, repack
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_testing import build_wheel, executable

FILES = {
    "demo/__init__.py": b"x = 1\n",
    "demo/data": b"1" * 5000,
    "demo-1.0.data/scripts/go": b"#!python\n",
}


def test_only_the_content_of_a_wheel_counts(tmp_path: Path) -> None:
    one = build_wheel(tmp_path / "one", files=FILES)
    two = build_wheel(
        tmp_path / "two",
        files=dict(reversed(list(FILES.items()))),
        compression=zipfile.ZIP_STORED,
        more=(("demo/__pycache__/__init__.cpython-311.pyc", b"bytecode"),),
    )
    for name, wheel in (("a", one), ("b", two)):
        repack(wheel, tmp_path / name / wheel.name)
    assert (tmp_path / "a" / one.name).read_bytes() == (tmp_path / "b" / two.name).read_bytes()
    with zipfile.ZipFile(tmp_path / "a" / one.name) as archive:
        assert [info.filename for info in archive.infolist()] == [
            "demo-1.0.data/scripts/go",
            "demo/__init__.py",
            "demo/data",
            "demo-1.0.dist-info/METADATA",
            "demo-1.0.dist-info/WHEEL",
            "demo-1.0.dist-info/RECORD",
        ]


def test_what_is_written_can_be_installed(tmp_path: Path) -> None:
    wheel = build_wheel(
        tmp_path,
        files={**FILES, "demo/run.sh": executable(b"#!/bin/sh\n")},
        edit_record=lambda record: record.clear(),
    )
    repack(wheel, tmp_path / "out" / wheel.name)
    tree = install_wheel(
        tmp_path / "out" / wheel.name, tmp_path / "tree", source="demo.zip#sha256=0"
    )
    assert {file.path.rpartition("/")[2] for file in tree.files} >= {"run.sh", "data", "go"}
    assert tree.wheel.source == "demo.zip#sha256=0"


def test_what_a_wheel_says_of_itself(tmp_path: Path) -> None:
    text = (
        b"Metadata-Version: 2.1\nName: Demo\nVersion: 1.0\nRequires-Dist: a >=1\n"
        b"Requires-Dist: b; extra == 'x'\n\nName: of the description\n"
    )
    wheel = build_wheel(tmp_path, files={"demo-1.0.dist-info/METADATA": text}, omit=("METADATA",))
    assert repack(wheel, tmp_path / "out.whl") == BuiltMetadata(
        "Demo", "1.0", ("a >=1", "b; extra == 'x'")
    )


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"no zip")
    with pytest.raises(Failure, match="the backend made a.whl, which is not a wheel"):
        repack(tmp_path / "a.whl", tmp_path / "out.whl")
    bare = build_wheel(tmp_path, omit=("RECORD",))
    with pytest.raises(Failure, match="which is not a wheel"):
        repack(bare, tmp_path / "out.whl")
