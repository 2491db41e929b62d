from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

from inseam.formats.oci.layer import read_layer
from inseam.programs import data


def test_large_files_lie_below_app_in_a_layer_of_their_own(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    (sources / "model").mkdir(parents=True)
    (sources / "model/weights.bin").write_bytes(b"\x01" * 5000)
    out = tmp_path / "out"
    data.main([f"--sources={sources}", f"--out={out}"])
    layer = read_layer(out)
    assert (layer.name, layer.wheels, layer.blob) == ("data", (), None)
    content = (out / "data.tar").read_bytes()
    assert layer.diff_id == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert layer.size == len(content)
    with tarfile.open(out / "data.tar") as tar:
        files = {member.name: member for member in tar if member.isfile()}
    assert list(files) == ["app/model/weights.bin"]
    assert (files["app/model/weights.bin"].mtime, files["app/model/weights.bin"].mode) == (0, 0o644)
