from __future__ import annotations

import json
from pathlib import Path

import pytest

from inseam.formats.distribution import Wheel
from inseam.formats.failure import Failure
from inseam.formats.oci.descriptor import GZIP_LAYER, Descriptor
from inseam.formats.oci.layer import (
    Layer,
    dump_layer,
    dump_layers,
    layer_value,
    load_layer,
    load_layers,
    read_layer,
    write_layer,
)

BLOB = Descriptor(GZIP_LAYER, "sha256:" + "01" * 32, 5)
DEPS = Layer(
    "deps",
    "sha256:" + "ab" * 32,
    10240,
    (Wheel("anyio", "4.0", "01" * 32), Wheel("uvicorn", "0.30.0", "23" * 32)),
)
LAYERS = (DEPS, Layer("app", "sha256:" + "cd" * 32, 2048, blob=BLOB))


@pytest.mark.parametrize("layer", [*LAYERS, LAYERS[1]._replace(size=None)])
def test_a_layer_is_read_as_it_was_written(tmp_path: Path, layer: Layer) -> None:
    write_layer(layer, tmp_path)
    assert read_layer(tmp_path) == layer
    assert (tmp_path / "layer.json").read_bytes() == dump_layer(layer)
    assert load_layer(dump_layer(layer)) == layer


def test_layers_are_read_as_they_were_written() -> None:
    assert load_layers(dump_layers(LAYERS)) == LAYERS
    assert dump_layers(load_layers(dump_layers(LAYERS))) == dump_layers(LAYERS)


def test_others_can_read_them() -> None:
    text = dump_layers(LAYERS)
    assert text.endswith(b"]\n")
    deps, app = json.loads(text)
    assert deps == {
        "name": "deps",
        "diff_id": "sha256:" + "ab" * 32,
        "size": 10240,
        "wheels": [
            {"name": "anyio", "version": "4.0", "sha256": "01" * 32},
            {"name": "uvicorn", "version": "0.30.0", "sha256": "23" * 32},
        ],
    }
    assert app["wheels"] == []
    assert app["blob"] == {"mediaType": GZIP_LAYER, "digest": "sha256:" + "01" * 32, "size": 5}


def test_an_image_may_have_no_layers() -> None:
    assert load_layers(dump_layers([])) == ()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"blob": {**BLOB.value(), "digest": "sha256:12"}},
            "`digest` in .* is not a sha256 digest",
        ),
        ({"diff_id": None}, "`diff_id` in .* is not a sha256 digest"),
        ({"size": "5"}, "is not a number of bytes"),
        ({"size": -1}, "is not a number of bytes"),
        ({"blob": {**BLOB.value(), "size": "5"}}, "is not a number of bytes"),
        ({"blob": {**BLOB.value(), "size": -1}}, "is not a number of bytes"),
        ({"wheels": [{"colour": "red"}]}, "does not describe a layer"),
        ({"wheels": None}, "does not describe a layer"),
        ({"blob": []}, "contains an invalid descriptor"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    path = tmp_path / "layer.json"
    path.write_text(json.dumps({**layer_value(LAYERS[1]), **change}))
    with pytest.raises(Failure, match=complaint) as failure:
        read_layer(tmp_path)
    assert str(path) in str(failure.value)


def test_a_field_that_is_missing_is_named(tmp_path: Path) -> None:
    value = layer_value(DEPS)
    del value["diff_id"]
    (tmp_path / "layer.json").write_text(json.dumps(value))
    with pytest.raises(Failure, match="does not describe a layer: 'diff_id'"):
        read_layer(tmp_path)


def test_what_is_not_json_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "layer.json").write_text("{")
    with pytest.raises(Failure, match="damaged"):
        read_layer(tmp_path)
    with pytest.raises(Failure, match="cannot be read"):
        read_layer(tmp_path / "missing")
