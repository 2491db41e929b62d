"""Creates the environment in which a build backend runs: a venv with its requirements."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import posixpath
import shlex
import sys
from pathlib import Path
from typing import BinaryIO, Iterable, Sequence

import installer
from installer.destinations import SchemeDictionaryDestination
from installer.records import Hash, RecordEntry
from installer.utils import Scheme

from inseam.formats.failure import Failure, no_space
from inseam.formats.folder import Bounds, Folder
from inseam.formats.python.checked_wheel import CheckedWheel
from inseam.formats.python.wheel_errors import UNUSABLE, reason


class BuildFailed(Failure):
    """The build backend failed, for example with a compiler error."""

    exit_code = 3


def make_environment(
    folder: Path,
    interpreter: str,
    wheels: Iterable[Path],
    *,
    place: str,
    start: Sequence[str] = (),
    bounds: Bounds = Bounds(),
) -> None:
    """Creates a venv in the new folder `folder` and installs `wheels` there.

    interpreter: absolute path, as the backend sees it, of CPython with this program's minor
    version. place: the folder's path as the backend sees it. start: the command that starts the
    interpreter if it cannot be started directly; its last part is the interpreter.

    Raises Failure for a wheel that cannot be installed.
    """
    major, minor = sys.version_info[:2]
    site = f"lib/python{major}.{minor}/site-packages"
    (folder / site).mkdir(parents=True)
    _write_venv(folder, interpreter, start)
    with Folder(folder, bounds) as into:
        for wheel in wheels:
            schemes = {
                "purelib": site,
                "platlib": site,
                "scripts": "bin",
                "data": ".",
                "headers": f"include/site/python{major}.{minor}/{wheel.name}",
            }
            try:
                with CheckedWheel.open(wheel) as source:
                    destination = _Destination(schemes, f"{place}/bin/python", folder, into)
                    installer.install(source, destination, {"INSTALLER": b"inseam\n"})
            except (*UNUSABLE, Failure) as error:
                if no_space(error):
                    raise
                raise Failure(
                    f"{wheel.name} cannot be installed to build with it: {reason(error)}"
                ) from error


def _write_venv(folder: Path, interpreter: str, start: Sequence[str]) -> None:
    """Writes a venv's own files (PEP 405), to which `make_environment` adds the wheels."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "bin").mkdir()
    if start:
        _write_launcher(folder / "bin/python", start)
    else:
        (folder / "bin/python").symlink_to(interpreter)
    for name in ("python3", f"python{version}"):
        (folder / "bin" / name).symlink_to("python")
    (folder / "pyvenv.cfg").write_text(
        f"home = {posixpath.dirname(interpreter)}\n"
        "include-system-site-packages = false\n"
        f"version = {version}\n"
    )


class _Destination(SchemeDictionaryDestination):
    """Writes through `Folder`, because a wheel and its entry points may have any names."""

    def __init__(
        self, schemes: dict[str, str], interpreter: str, path: Path, folder: Folder
    ) -> None:
        super().__init__(schemes, interpreter=interpreter, script_kind="posix", destdir=str(path))
        self._folder = folder

    def write_file(
        self, scheme: Scheme, path: str | os.PathLike[str], stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        # `installer` reads a script twice, to find its shebang.
        whole = io.BytesIO(stream.read()) if scheme == "scripts" else stream
        return super().write_file(scheme, path, whole, is_executable)

    def write_to_fs(
        self, scheme: Scheme, path: str, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        hashing = _Hashing(stream)
        # The prefix is ignored for an absolute path.
        target = posixpath.join(self.scheme_dict[scheme], path)
        self._folder.add_file(target, hashing, executable=is_executable)
        digest = base64.urlsafe_b64encode(hashing.sha256.digest()).decode().rstrip("=")
        return RecordEntry(path, Hash("sha256", digest), hashing.size)


class _Hashing:
    """Records the sha256 and the size of what was read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.sha256, self.size = hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.sha256.update(data)
        self.size += len(data)
        return data


def _write_launcher(path: Path, start: Sequence[str]) -> None:
    """Writes a script that starts an interpreter with its own loader, under the script's path. So
    the interpreter finds the venv, and its `sys.executable` is the script.
    """
    *loader, interpreter = map(shlex.quote, start)
    path.write_text(f'#!/bin/sh\nexec {" ".join(loader)} --argv0 "$0" {interpreter} "$@"\n')
    path.chmod(0o755)
