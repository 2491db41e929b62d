"""The digest of an image depends on its inputs, and not on the Python that makes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from inseam.sandbox.image_config import ImageConfig, dump_config
from inseam.sandbox.image_metadata import read_metadata
from inseam.sandbox.oci_testing import make_base, make_layer
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
        digests.add((folder / "out/descriptor.json").read_bytes())
    assert len(digests) == 1


def test_images_are_the_same(tmp_path: Path, pythons: list[str]) -> None:
    digests = set()
    for number, python in enumerate(pythons):
        folder = tmp_path / str(number)
        package = folder / "sources/shop"
        package.mkdir(parents=True)
        (package / "server.py").write_text("def main():\n    return {1: 'a', 2: {'b', 'c'}}\n")
        make_base(folder / "base")
        make_layer(folder / "deps", "deps", {"opt/venv/pyvenv.cfg": b"home = /usr/bin\n"})
        (folder / "config.json").write_text(json.dumps(dump_config(ImageConfig(user="1"))))
        result = run_program(
            *("image", "--target=src:app", "--sources=sources", "--entry-point=shop.server:main"),
            *("--config=config.json", "--base=base", "--out=out", "deps"),
            cwd=folder,
            python=python,
        )
        assert result.returncode == 0, result.stderr
        digests.add(read_metadata(folder / "out").digest)
    assert len(digests) == 1
