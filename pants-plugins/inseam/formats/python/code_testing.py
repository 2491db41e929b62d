"""Writes first-party code, and layers of wheels below it, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping, Union

from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.merge import MergeOptions, merge
from inseam.formats.python.wheel import install_wheel
from inseam.formats.python.wheel_testing import File, build_wheel

VENV = ("/usr/bin/python3.11", "{}.{}.7".format(*minor_version()))

SOURCES: dict[str, Union[bytes, File]] = {
    "shop/__init__.py": b"",
    "shop/server.py": b"def main():\n    return 0\n",
    "shop/healthcheck.py": b"def main():\n    return 0\n",
    "shop/templates/page.html": b"<p>",
    "shop/tool.sh": File(b"#!/bin/sh\n", 0o755),
    "shop/legacy.py": b"print 'Python 2'\n",
}


def write_sources(folder: Path, files: Mapping[str, Union[bytes, File]]) -> Path:
    """Writes sources, by path, to the folder."""
    for name, content in files.items():
        file = content if isinstance(content, File) else File(content, 0o644)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    return folder


def wheels_layer(folder: Path, **wheels: Mapping[str, bytes]) -> Path:
    """The folder of a layer that holds a venv and wheels with the given files."""
    trees = []
    for wheel, files in wheels.items():
        trees.append(folder / "deps/trees" / wheel)
        install_wheel(build_wheel(folder / "deps/wheels", wheel, files=files), trees[-1])
    merge("deps", trees, folder / "deps/layer", MergeOptions(VENV))
    return folder / "deps/layer"
