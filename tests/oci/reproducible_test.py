"""The digest of an image depends on its inputs, and not on the Python that makes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Mapping

import pytest

from inseam.programs.program_testing import SURROUNDINGS
from inseam.tools.own import LOCK, MARKER
from oci.programs import environment, run_program, search_path

MINOR = "3.11"
SERVER = "def main():\n    return {1: 'a', 2: {'b', 'c'}}\n"


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


def image(folder: Path, python: str, env: Mapping[str, str], umask: int, source: str) -> Path:
    """Builds the image of a source in the folder, by that interpreter; returns what it exports."""
    package = folder / "sources/shop"
    package.mkdir(parents=True)
    (package / "server.py").write_text(source)
    program = "from oci.tiny import *; build_alike(Path.cwd(), Path('sources'))"
    tests = str(Path(__file__).parents[1])
    result = subprocess.run(
        [python, "-sSBc", program],
        cwd=folder,
        env={**environment(), "PYTHONPATH": os.pathsep.join([search_path(), tests]), **env},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder / "dist"


def exported(folder: Path) -> dict[str, bytes]:
    """All files below the folder, those behind links included, by path."""
    return {
        (Path(path, name).relative_to(folder)).as_posix(): Path(path, name).read_bytes()
        for path, _, names in os.walk(folder, followlinks=True)
        for name in names
    }


def test_whole_images_are_the_same_in_all_surroundings(tmp_path: Path) -> None:
    pythons = sorted(builds().values()) or [sys.executable]
    images = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        folder = tmp_path / f"{'deeper/' * number}some where {number}"
        python = pythons[number % len(pythons)]
        images.append(exported(image(folder, python, env, umask, SERVER)))
    first = images[0]
    names = ("image.json", "index.json", "oci-layout", "container.yaml")
    assert {path for path in first if not path.startswith(("app/blobs/", "oci/blobs/"))} == {
        *(f"app/{name}" for name in names),
        f"oci/{LOCK}",
        f"oci/{MARKER}",
    }
    # Three layers, the manifest and the configuration.
    assert len([path for path in first if path.startswith("app/blobs/sha256/")]) == 5
    for other in images[1:]:
        assert other == first
    changed = exported(image(tmp_path / "changed", pythons[0], {}, 0o022, SERVER + "# edited\n"))
    assert changed["app/index.json"] != first["app/index.json"]
