"""Whatever an index serves as a wheel, whatever sources contain, what installs and compiles them
ends with a right result or a Failure."""

from __future__ import annotations

import marshal
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Mapping

from hypothesis import given
from hypothesis import strategies as st

from inseam.formats.failure import Failure
from inseam.formats.fuzz_testing import damaged, fuzzed
from inseam.formats.python.bytecode import compile_module, compile_source
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_testing import build_wheel
from inseam.formats.tar import END_OF_ARCHIVE

NAME = "demo-1.0-py3-none-any.whl"
PARTS = [
    "a",
    "..",
    ".",
    "",
    "demo",
    "__pycache__",
    "x.py",
    "x.pyc",
    "\ud800",
    "\x00",
    "n\n",
    "ü" * 200,
]
PARTS += ["demo-1.0.data", "purelib", "scripts", "data", "headers", "lib64", "bin", "\\", "a" * 260]
PATHS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map("/".join)
CONTENTS = st.binary(max_size=40) | st.sampled_from(
    [b"x = 1\n", b"#!python\n", b"\x7fELF" + b"\0" * 30]
)


def install(folder: Path, content: bytes) -> None:
    """Installs a wheel of these bytes; what it installs is below the venv, and nowhere else."""
    folder.mkdir(exist_ok=True)
    path = folder / NAME
    path.write_bytes(content)
    out = folder / "out"
    try:
        tree = install_wheel(path, out)
    except Failure:
        return
    finally:
        assert {each.name for each in folder.iterdir()} <= {NAME, "out"}
    for file in tree.files:
        parts = file.path.split("/")
        assert parts[:2] == ["opt", "venv"]
        assert not {"", ".", ".."}.intersection(parts)
    (out / "tree.tar").write_bytes((out / "tree.tar").read_bytes() + END_OF_ARCHIVE)
    with tarfile.open(out / "tree.tar") as tar:
        assert len(tar.getnames()) == len(tree.files)


def wheel(folder: Path, files: Mapping[str, bytes] = {}, **more: Any) -> bytes:
    return build_wheel(
        folder / "made", files={"demo/x.py": b"x = 1\n", **files}, **more
    ).read_bytes()


@fuzzed
@given(st.data())
def test_damaged_wheels(tmp_path: Path, data: st.DataObject) -> None:
    packed = wheel(tmp_path, compression=zipfile.ZIP_STORED)
    install(tmp_path / "given", data.draw(damaged(packed)))


@fuzzed
@given(st.dictionaries(PATHS, CONTENTS, max_size=5))
def test_wheels_with_odd_files(tmp_path: Path, files: dict[str, bytes]) -> None:
    try:
        packed = wheel(tmp_path, files)
    except (ValueError, IndexError):
        return  # zipfile writes no such name
    install(tmp_path / "given", packed)


TEXTS = st.lists(
    st.sampled_from(
        [*"\n:= [],.;#", "console_scripts", "gui_scripts", "a", "../b", "a.b:c", "\x00", "%"]
    ),
    max_size=20,
).map("".join) | st.text(max_size=30)


@fuzzed
@given(
    st.sampled_from(
        ["METADATA", "WHEEL", "RECORD", "entry_points.txt", "INSTALLER", "direct_url.json"]
    ),
    TEXTS,
)
def test_wheels_with_odd_metadata(tmp_path: Path, name: str, text: str) -> None:
    content = text.encode("utf-8", "replace")
    omit = ("RECORD",) if name == "RECORD" else ()
    path = build_wheel(
        tmp_path / "made",
        files={"demo/x.py": b"x = 1\n", f"demo-1.0.dist-info/{name}": content},
        omit=omit,
    )
    install(tmp_path / "given", path.read_bytes())


SOURCE = st.lists(
    st.sampled_from(
        [
            "lambda: ",
            "(",
            ")",
            "[",
            "{",
            "}",
            "-",
            "not ",
            "x",
            "in ",
            "{1, 2}",
            "'s'",
            "\n",
            " ",
            "def f():",
            "#coding: utf-7\n",
            "\\",
            "f'{x}'",
            "class A: ",
            "1j",
            "=",
            ",",
            "None",
            "if x: ",
            "0x" + "f" * 5000,
        ]
    ),
    max_size=30,
)


@fuzzed
@given(st.binary(max_size=60) | SOURCE.map("".join).map(str.encode), st.integers(1, 400))
def test_sources(piece: bytes, times: int) -> None:
    for source in (piece, piece * times):
        compiled = compile_source(source, "/app/x.py")
        if compiled is not None:
            assert marshal.loads(compiled[16:]).co_filename == "/app/x.py"


@fuzzed
@given(st.text(alphabet="aü.\udcff", min_size=1, max_size=300))
def test_names_of_modules(name: str) -> None:
    found = compile_module(b"", f"{name}.py", "app", (3, 11))
    assert (
        found is None or len(found[0].rpartition("/")[2].encode("utf-8", "surrogateescape")) <= 255
    )
