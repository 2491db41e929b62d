from __future__ import annotations

import json
from pathlib import Path

from inseam.sandbox.layer import (
    Installed,
    Layer,
    dump,
    load,
    read_layers,
    read_paths,
    write_layers,
    write_paths,
)
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


def test_paths_are_read_as_they_were_written(tmp_path: Path) -> None:
    files = {
        "opt/venv/a b.py": Installed("ab" * 32, "a 1.whl"),
        "opt/venv/ü\u2028\x85\x0c\r.txt": Installed("cd" * 32, "b.whl"),
        "opt/venv/\udcff": Installed("ef" * 32, "a 1.whl"),
        "= odd": Installed("01" * 32, "the venv"),
    }
    write_paths(files, tmp_path / "paths.txt")
    assert read_paths(tmp_path / "paths.txt") == files


def test_the_order_of_paths_does_not_matter(tmp_path: Path) -> None:
    files = {
        name: Installed("ab" * 32, owner) for name, owner in (("b", "x"), ("a", "y"), ("c", "x"))
    }
    write_paths(files, tmp_path / "one")
    write_paths(dict(reversed(list(files.items()))), tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
