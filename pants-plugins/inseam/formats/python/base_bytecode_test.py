from __future__ import annotations

import marshal
from pathlib import Path

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import blob_path
from inseam.formats.oci.oci_testing import foreign_layer, make_layer
from inseam.formats.python.base_bytecode import BYTECODE_LAYER, write_bytecode
from inseam.formats.python.bytecode import cache_path, minor_version
from inseam.formats.tar_testing import read_layer
from inseam.programs.__main__ import run
from inseam.programs.program_testing import SURROUNDINGS, run_program, tree

MINOR = minor_version()
STDLIB = "usr/local/lib/python{}.{}".format(*MINOR)
FILES = {
    f"{STDLIB}/os.py": b"import sys\n",
    f"{STDLIB}/json/__init__.py": b"x = 1\n",
    f"{STDLIB}/lib2to3/bad.py": b"print 'two'\n",
    f"{STDLIB}/gone.py": b"x = 1\n",
    f"{STDLIB}/has.py": b"x = 1\n",
    f"{STDLIB}/{cache_path('has.py', MINOR)}": b"bytecode",
    f"{STDLIB}/site-packages/pip/__init__.py": b"x = 1\n",
    "app/main.py": b"x = 1\n",
}


def blobs(folder: Path) -> list[Path]:
    layers = [
        make_layer(folder, "python", FILES),
        foreign_layer(folder, f"{STDLIB}/.wh.gone.py", files={f"{STDLIB}/os.py": b"import io\n"}),
    ]
    return [blob_path(folder, layer.descriptor.digest) for layer in layers]


def test_modules_that_lack_their_bytecode_get_it(tmp_path: Path) -> None:
    layer = write_bytecode(blobs(tmp_path), STDLIB, tmp_path / "out")
    entries = read_layer((tmp_path / "out" / f"{BYTECODE_LAYER}.tar").read_bytes())
    made = {path for path in entries if path.endswith(".pyc")}
    assert layer.name == BYTECODE_LAYER
    assert made == {f"{STDLIB}/{cache_path(name, MINOR)}" for name in ("os.py", "json/__init__.py")}
    # Unchecked: nothing is looked up or written at start.
    content = entries[f"{STDLIB}/{cache_path('os.py', MINOR)}"].content
    assert content[4:8] == b"\x01\0\0\0"
    code = marshal.loads(content[16:])
    assert (code.co_filename, code.co_names) == (f"/{STDLIB}/os.py", ("io",))


def test_the_layer_is_the_same_bytes_in_all_surroundings(tmp_path: Path) -> None:
    digests = [f"sha256:{blob.name}" for blob in blobs(tmp_path / "image")]
    results = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        out = f"--out=out-{number}"
        command = ("compile_stdlib", "--image=image", f"--stdlib=/{STDLIB}", out, *digests)
        result = run_program(*command, cwd=tmp_path, env=env, umask=umask)
        assert (result.returncode, result.stderr) == (0, "")
        results.append(tree(tmp_path / f"out-{number}"))
    assert results[0] == results[1] == results[2]


def test_another_interpreter_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure, match="cannot be compiled by CPython"):
        write_bytecode([], "usr/lib/python3.1", tmp_path)
    command = ["compile_stdlib", "--image=x", "--stdlib=usr/lib/python3.1", f"--out={tmp_path}"]
    assert run([*command, f"sha256:{'0' * 64}"]) == 1
    assert "cannot be compiled" in capfd.readouterr().err
