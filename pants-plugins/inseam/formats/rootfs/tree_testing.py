"""Makes the layers of an image with the CPython that runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Iterable

from inseam.formats.elf import needed
from inseam.formats.python.bytecode import minor_version

MINOR = ".".join(map(str, minor_version()))
PREFIX = f"opt/python{MINOR}"
# Libraries of glibc that are in every image, whatever the interpreter needs.
EXPECTED = ("libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1")
INTERPRETER = f"/{PREFIX}/bin/python{MINOR}"


def shared_libraries(files: Iterable[Path]) -> dict[str, Path]:
    """The libraries that programs need, as this machine's loader finds them."""
    found: dict[str, Path] = {}
    for file in files:
        listed = subprocess.run(["ldd", file], check=False, capture_output=True, text=True).stdout
        for line in listed.splitlines():
            name, _, rest = line.strip().partition(" => ")
            path = (rest or name).split(" (")[0]
            if path.startswith("/"):
                found[os.path.basename(path)] = Path(path)
    return found


def real_interpreter() -> Path:
    return Path(os.path.realpath(sys.executable))


def python_layers(folder: Path) -> list[Path]:
    """Writes the tars of two layers to the folder, as in an image from a registry."""
    program = real_interpreter()
    loader = next(name for name in needed(program.read_bytes()) if name.startswith("/"))
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    extensions = sorted((stdlib / "lib-dynload").glob("*.so"))
    lower, upper = folder / "lower.tar", folder / "upper.tar.gz"
    with tarfile.open(lower, "w") as tar:
        tar.add(os.path.realpath(loader), loader[1:])
        libraries = shared_libraries([program, *extensions])
        glibc = libraries["libc.so.6"]
        for path in libraries.values():
            tar.add(os.path.realpath(path), f"usr/lib/x86_64-linux-gnu/{path.name}")
        for name in EXPECTED:
            tar.add(os.path.realpath(glibc.parent / name), f"usr/lib/x86_64-linux-gnu/{name}")
        tar.add(program, f"{PREFIX}/bin/gone")
    with tarfile.open(upper, "w:gz", compresslevel=1) as tar:
        tar.add(program, INTERPRETER[1:])

        def plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
            left_out = ("__pycache__", "site-packages", "test", "idlelib", "tkinter")
            return None if os.path.basename(info.name) in left_out else info

        tar.add(stdlib, f"{PREFIX}/lib/python{MINOR}", filter=plain)
        tar.addfile(tarfile.TarInfo(f"{PREFIX}/bin/.wh.gone"))
    return [lower, upper]
