from __future__ import annotations

import tarfile
from pathlib import Path

from inseam.sandbox import data
from inseam.sandbox.layer import LAYERS, read_layers


def test_large_files_lie_below_app_in_a_layer_of_their_own(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    (sources / "model").mkdir(parents=True)
    (sources / "model/weights.bin").write_bytes(b"\x01" * 5000)
    out = tmp_path / "out"
    data.main(["--target=src:app", f"--sources={sources}", f"--out={out}"])
    (layer,) = read_layers(out / LAYERS)
    assert (layer.name, layer.file, layer.wheels) == ("data", "data.tar", ())
    with tarfile.open(out / layer.file) as tar:
        files = {member.name: member for member in tar if member.isfile()}
    assert list(files) == ["app/model/weights.bin"]
    assert (files["app/model/weights.bin"].mtime, files["app/model/weights.bin"].mode) == (0, 0o644)
