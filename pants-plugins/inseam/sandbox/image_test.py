from __future__ import annotations

import gzip
import io
import json
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from inseam.sandbox.app import app_layer
from inseam.sandbox.assemble import assemble, read_base
from inseam.sandbox.command import Failure, run
from inseam.sandbox.compress import compress
from inseam.sandbox.descriptor import DESCRIPTOR, blob_path, read_layer
from inseam.sandbox.image import image
from inseam.sandbox.image_config import dump_config
from inseam.sandbox.image_metadata import ImageMetadata, read_metadata
from inseam.sandbox.layer import LAYERS, Layer, write_layers
from inseam.sandbox.oci_testing import SERVICE, make_base, make_layer
from inseam.sandbox.program_testing import SURROUNDINGS, run_program, tree

pytestmark = pytest.mark.skipif(
    find_spec("deflate") is None, reason="the distribution deflate is not installed"
)

TARGET = "src/python/shop:app"
FILES = {
    "shop/__init__.py": "",
    "shop/server.py": "def main():\n    return 0\n",
    "shop/probe.py": "def main():\n    return 0\n",
    "shop/data/ü.txt": "x" * 3000,
}


def write_inputs(folder: Path) -> None:
    for name, text in FILES.items():
        path = folder / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    make_base(folder / "base")
    make_layer(folder / "deps", "deps", {"opt/venv/pyvenv.cfg": b"home = /usr/bin\n"})
    (folder / "config.json").write_text(json.dumps(dump_config(SERVICE)))


ARGUMENTS = (
    "image",
    f"--target={TARGET}",
    "--sources=sources",
    "--entry-point=shop.server:main",
    "--healthcheck=shop.probe:main",
    "--config=config.json",
    "--base=base",
    "--out=out",
    "--reference=host/shop:1",
    "deps",
)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageMetadata:
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(list(ARGUMENTS)) == 0
    return read_metadata(tmp_path / "out")


def test_a_service_s_image_has_its_code_on_top(tmp_path: Path, made: ImageMetadata) -> None:
    assert [layer.name for layer in made.layers] == ["rootfs", "deps", "app"]
    blob = blob_path(tmp_path / "out", made.layers[-1].digest)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read_bytes()))) as tar:
        names = tar.getnames()
    assert {"app/shop/server.py", "opt/venv/bin/entrypoint", "app/shop/data/ü.txt"} <= set(names)
    assert any(name.startswith("app/shop/__pycache__/server.cpython-") for name in names)


def test_only_what_an_edit_changes_is_written(tmp_path: Path, made: ImageMetadata) -> None:
    blobs = {f"sha256:{path.name}" for path in (tmp_path / "out/blobs/sha256").iterdir()}
    assert blobs == {made.digest, made.config_digest, made.layers[-1].digest}


def test_app_compress_and_assemble_give_the_same(tmp_path: Path, made: ImageMetadata) -> None:
    write_layers([Layer("deps", "deps.tar", "sha256:" + "0" * 64, 0)], tmp_path / "deps" / LAYERS)
    app_layer(
        TARGET,
        tmp_path / "sources",
        tmp_path / "app",
        entry_point="shop.server:main",
        healthcheck="shop.probe:main",
        below=[tmp_path / "deps"],
    )
    app = compress(tmp_path / "app/app.tar", tmp_path / "app")
    layers = [read_layer(tmp_path / "deps" / DESCRIPTOR), app]
    other = assemble(
        TARGET, SERVICE, layers, base=read_base(tmp_path / "base"), references=["host/shop:1"]
    )
    assert other.metadata == made


def test_an_edit_leaves_the_other_layers_alone(tmp_path: Path, made: ImageMetadata) -> None:
    (tmp_path / "sources/shop/server.py").write_text("def main():\n    return 1\n")
    assert run(list(ARGUMENTS)) == 0
    after = read_metadata(tmp_path / "out")
    assert after.layers[:-1] == made.layers[:-1]
    assert after.digest != made.digest


def test_surroundings_do_not_matter(tmp_path: Path) -> None:
    seen = []
    for number, (env, umask) in enumerate(SURROUNDINGS):
        folder = tmp_path / f"checkout {number}"
        folder.mkdir()
        write_inputs(folder)
        result = run_program(*ARGUMENTS, cwd=folder, env=env, umask=umask)
        assert result.returncode == 0, result.stderr
        seen.append(tree(folder / "out"))
    assert seen[0] == seen[1] == seen[2]


def test_an_entry_point_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    with pytest.raises(Failure, match=f"{TARGET}: .*function that its module does not define"):
        image(
            TARGET,
            tmp_path / "sources",
            tmp_path / "out",
            entry_point="shop.server:serve",
            healthcheck=None,
            config=SERVICE._replace(healthcheck=None),
            base=tmp_path / "base",
            below=[tmp_path / "deps"],
        )
    assert not (tmp_path / "out").exists()
