"""The digest of an image depends on its inputs, and not on the Python that makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from inseam.programs.program_testing import tree
from oci.programs import run_program

MINOR = "3.11"


def builds() -> dict[str, str]:
    """Different builds of one minor version that are on this machine: program by `sys.version`."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(Path("~/.pyenv/versions").expanduser().glob(f"{MINOR}*/bin"))
    found: dict[str, str] = {}
    for folder in folders:
        program = shutil.which(f"python{MINOR}", path=str(folder))
        if program is None:
            continue
        command = [program, "-sSBc", "import sys; print(sys.version)"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            found.setdefault(result.stdout, program)
    return found


@pytest.fixture(scope="module")
def pythons() -> list[str]:
    found = sorted(builds().values())
    if len(found) < 2:
        pytest.skip(f"only one build of CPython {MINOR} is here")
    return found


@pytest.mark.parametrize("format", ["gzip", "zstd"])
def test_layers_are_compressed_alike(tmp_path: Path, pythons: list[str], format: str) -> None:
    text = b"".join(b"line %d of something that compresses\n" % n for n in range(300_000))
    digests = set()
    for number, python in enumerate(pythons):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "deps.tar").write_bytes(text)
        options = ["--tar=deps.tar", "--out=out", f"--format={format}"]
        result = run_program("compress", *options, cwd=folder, python=python)
        assert result.returncode == 0, result.stderr
        digests.add((folder / "out/layer.json").read_bytes())
    assert len(digests) == 1


def test_images_are_the_same(tmp_path: Path, pythons: list[str]) -> None:
    blobs = set()
    for number, python in enumerate(pythons):
        folder = tmp_path / str(number)
        package = folder / "sources/shop"
        package.mkdir(parents=True)
        (package / "server.py").write_text("def main():\n    return {1: 'a', 2: {'b', 'c'}}\n")
        result = run_program(
            *("code", "--sources=sources", "--out=out", "--console-scripts"),
            "--entry-point=entry_point=shop.server:main",
            cwd=folder,
            python=python,
        )
        assert result.returncode == 0, result.stderr
        blobs.add(frozenset(tree(folder / "out").items()))
    assert len(blobs) == 1
