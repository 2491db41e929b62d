"""Makes the environment that a build backend runs in: a venv with its requirements."""

from __future__ import annotations

import configparser
import posixpath
import shlex
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Iterable, Sequence

import installer
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.sources import WheelFile

from inseam.formats.failure import Failure, no_space

# What `installer` and `zipfile` raise for files that are not wheels.
_UNUSABLE = (
    AssertionError,
    EOFError,
    InstallerError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
    configparser.Error,
    zipfile.BadZipFile,
    zlib.error,
)


def make_environment(
    folder: Path,
    interpreter: str,
    wheels: Iterable[Path],
    *,
    place: str,
    start: Sequence[str] = (),
) -> None:
    """Makes a venv in the new folder `folder` and installs `wheels` there.

    interpreter: absolute path, as the backend sees it, of CPython with this program's minor
    version. place: the folder's path as the backend sees it. start: how the interpreter is started
    if not by itself, as `formats.rootfs.tree.argv`: a command whose last part is the interpreter.

    Raises Failure for a wheel that cannot be installed.
    """
    major, minor = sys.version_info[:2]
    site = f"lib/python{major}.{minor}/site-packages"
    (folder / site).mkdir(parents=True)
    (folder / "bin").mkdir()
    if start:
        _write_launcher(folder / "bin/python", start)
    else:
        (folder / "bin/python").symlink_to(interpreter)
    for name in ("python3", f"python{major}.{minor}"):
        (folder / "bin" / name).symlink_to("python")
    (folder / "pyvenv.cfg").write_text(
        f"home = {posixpath.dirname(interpreter)}\n"
        "include-system-site-packages = false\n"
        f"version = {major}.{minor}\n"
    )
    for wheel in wheels:
        schemes = {
            "purelib": str(folder / site),
            "platlib": str(folder / site),
            "scripts": str(folder / "bin"),
            "data": str(folder),
            "headers": str(folder / f"include/site/python{major}.{minor}/{wheel.name}"),
        }
        try:
            with WheelFile.open(wheel) as source:
                destination = SchemeDictionaryDestination(
                    schemes, interpreter=f"{place}/bin/python", script_kind="posix"
                )
                installer.install(source, destination, {"INSTALLER": b"inseam\n"})
        except _UNUSABLE as error:
            if no_space(error):
                raise
            raise Failure(f"{wheel.name} cannot be installed to build with it: {error}") from error


def _write_launcher(path: Path, start: Sequence[str]) -> None:
    """Writes a script that starts an interpreter by its own loader, by the script's own path: so it
    finds the venv, and says that path when it is asked how to start another (`sys.executable`)."""
    *loader, interpreter = map(shlex.quote, start)
    path.write_text(f'#!/bin/sh\nexec {" ".join(loader)} --argv0 "$0" {interpreter} "$@"\n')
    path.chmod(0o755)
