from __future__ import annotations

import json
from pathlib import Path

from inseam.sandbox.layer import Layer, dump, load, read_layers, write_layers
from inseam.sandbox.unit import Wheel

LAYERS = (
    Layer(
        "deps",
        "deps.tar",
        "sha256:" + "ab" * 32,
        10240,
        (Wheel("anyio", "4.0", "01" * 32), Wheel("uvicorn", "0.30.0", "23" * 32)),
    ),
    Layer("app", "app.tar", "sha256:" + "cd" * 32, 2048),
)


def test_layers_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_layers(LAYERS, tmp_path / "layers.json")
    assert read_layers(tmp_path / "layers.json") == LAYERS
    assert dump(load(dump(LAYERS))) == dump(LAYERS)


def test_others_can_read_them() -> None:
    text = dump(LAYERS)
    assert text.endswith(b"]\n")
    deps, app = json.loads(text)
    assert deps == {
        "name": "deps",
        "file": "deps.tar",
        "diff_id": "sha256:" + "ab" * 32,
        "size": 10240,
        "wheels": [
            {"name": "anyio", "version": "4.0", "sha256": "01" * 32},
            {"name": "uvicorn", "version": "0.30.0", "sha256": "23" * 32},
        ],
    }
    assert app["wheels"] == []


def test_an_image_may_have_no_layers() -> None:
    assert load(dump([])) == ()
