"""Adds the bytecode of the standard library to a root filesystem.

Usage: compile_rootfs ROOT OUT

ROOT is a folder that `rootfs` wrote; OUT becomes the same with bytecode. The running interpreter
must have the same minor version as that of the base.
"""

from __future__ import annotations

from pathlib import Path

from inseam.formats.rootfs.bytecode import add_bytecode


def main(argv: list[str]) -> None:
    """See the module's docstring."""
    root, out = map(Path, argv)
    add_bytecode(root, out)
