from __future__ import annotations

from pathlib import Path

import pytest

from inseam.sandbox.check_layers import main
from inseam.sandbox.command import Failure
from inseam.sandbox.installed import PATHS, Installed, write_paths


def layer(folder: Path, owner: str, **digests: str) -> str:
    files = {f"opt/venv/{name}": Installed(digest, owner) for name, digest in digests.items()}
    write_paths(files, folder / PATHS)
    return str(folder)


def test_layers_that_agree(tmp_path: Path) -> None:
    main(
        [layer(tmp_path / "a", "a.whl", x="1", y="2"), layer(tmp_path / "b", "b.whl", y="2", z="3")]
    )
    main([])


def test_layers_that_do_not_agree(tmp_path: Path) -> None:
    folders = [
        layer(tmp_path / "a", "a.whl", x="1"),
        layer(tmp_path / "b", "b.whl", z="3"),
        layer(tmp_path / "c", "c.whl", x="2"),
    ]
    with pytest.raises(
        Failure, match="a.whl and c.whl, in different layers, both have /opt/venv/x"
    ):
        main(folders)
