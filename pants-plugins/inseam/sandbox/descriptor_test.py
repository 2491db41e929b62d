from __future__ import annotations

import json
from pathlib import Path

import pytest

from inseam.sandbox.command import Failure
from inseam.sandbox.descriptor import GZIP_LAYER, LayerBlob, blob_path, read_layer, write_layer

DIGEST = "sha256:" + "a" * 64
LAYER = LayerBlob("deps", GZIP_LAYER, DIGEST, 5, "sha256:" + "b" * 64, 10)


def test_a_layer_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_layer(LAYER, tmp_path / "descriptor.json")
    assert read_layer(tmp_path / "descriptor.json") == LAYER


def test_its_descriptor_is_what_the_specification_asks_for() -> None:
    assert LAYER.descriptor() == {"mediaType": GZIP_LAYER, "digest": DIGEST, "size": 5}


def test_a_blob_lies_under_its_digest() -> None:
    assert blob_path(Path("layout"), DIGEST).as_posix() == "layout/blobs/sha256/" + "a" * 64


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"digest": "sha256:12"}, "`digest` in .* is no sha256 digest"),
        ({"diff_id": None}, "`diff_id` in .* is no sha256 digest"),
        ({"size": "5"}, "no count of bytes"),
        ({"size": -1}, "no count of bytes"),
        ({"colour": "red"}, "does not describe a layer"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    path = tmp_path / "descriptor.json"
    path.write_text(json.dumps({**LAYER._asdict(), **change}))
    with pytest.raises(Failure, match=complaint):
        read_layer(path)


def test_what_is_no_json_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "descriptor.json").write_text("{")
    with pytest.raises(Failure, match="damaged"):
        read_layer(tmp_path / "descriptor.json")
    with pytest.raises(Failure, match="cannot be read"):
        read_layer(tmp_path / "missing.json")
