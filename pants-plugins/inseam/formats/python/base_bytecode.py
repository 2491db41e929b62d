"""Compiles the standard library of a base image that lacks its bytecode, into a layer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.files import whole
from inseam.formats.oci.flatten import NOT_WANTED, read_files
from inseam.formats.oci.layer import Layer, write_layer
from inseam.formats.python.bytecode import LARGEST_SOURCE, cache_path, compile_module, minor_version
from inseam.formats.tar import Member, with_directories, write_tar

BYTECODE_LAYER = "stdlib-bytecode"
_OTHERS = ("site-packages", "dist-packages")


def write_bytecode(blobs: Iterable[Path], stdlib: str, out: Path) -> Layer:
    """Writes the layer of the bytecode of the modules below `stdlib`, a relative path in the image,
    that have none yet: `<name>.tar` and `layer.json` in the folder `out`.

    blobs: those of the image's layers, lowest first. Raises Failure for a damaged layer, and if the
    running interpreter and the library have different versions.
    """
    minor = minor_version()
    if not re.search(rf"/python{minor[0]}\.{minor[1]}t?\Z", stdlib):
        raise Failure(
            f"the standard library in /{stdlib} cannot be compiled by CPython"
            f" {minor[0]}.{minor[1]}"
        )
    start = f"{stdlib}/"
    others = tuple(f"{start}{name}/" for name in _OTHERS)

    def wanted(path: str) -> int:
        is_module = path.startswith(start) and path.endswith((".py", ".pyc"))
        return LARGEST_SOURCE if is_module and not path.startswith(others) else NOT_WANTED

    files = read_files(blobs, wanted)
    members = []
    for path in sorted(files):
        if not path.endswith(".py") or cache_path(path, minor) in files:
            continue
        compiled = compile_module(files[path], path[len(start) :], stdlib, minor)
        if compiled is not None:
            members.append(Member(f"{start}{compiled[0]}", compiled[1]))
    with whole(out / f"{BYTECODE_LAYER}.tar") as file:
        info = write_tar(with_directories(members), file)
    layer = Layer(BYTECODE_LAYER, info.diff_id, info.size)
    write_layer(layer, out)
    return layer
