"""Installs the locked Pants into a venv in the launcher's cache.

LOCK is a requirements file with hashes. ENTRY becomes a link to the venv, a folder next to it whose
name also identifies the interpreter. A venv cannot be moved, so it is created under its final name,
and the link is created when the venv is complete.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from bootstrap.cache import exclusive, fail, publish, remove, say
from bootstrap.pip_runner import pip_for_new_venv, run_pip


def is_complete(entry: Path) -> bool:
    """Whether there is a venv at `entry` whose interpreter still exists."""
    return os.access(entry / "bin/python", os.X_OK) and os.access(entry / "bin/pants", os.X_OK)


def interpreter_id() -> str:
    """Identifies the interpreter that runs this program: a venv is tied to its version and path."""
    place = hashlib.sha256(os.path.realpath(sys.executable).encode()).hexdigest()
    return f"cp{platform.python_version()}-{place[:8]}"


def create(folder: Path, lock: Path) -> None:
    """Creates the venv: the locked Pants, and its native client if it runs on this platform."""
    run_pip(
        pip_for_new_venv(folder),
        ["install", "--require-hashes", "--no-deps", "--requirement", str(lock)],
        lock,
    )
    if not os.access(folder / "bin/pants", os.X_OK):
        fail(f"{lock} does not install a `pants` command. Pin pantsbuild-pants in it.")
    link_native_client(folder)


def link_native_client(folder: Path) -> None:
    """Adds bin/native_client to the venv if Pants ships one that runs on this platform."""
    for client in folder.glob("lib/python*/site-packages/pants/bin/native_client"):
        client.chmod(0o755)
        try:
            subprocess.run(
                [str(client), "--version"],
                env={**os.environ, "_PANTS_SERVER_EXE": "/usr/bin/true"},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
                timeout=20,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        (folder / "bin/native_client").symlink_to(os.path.relpath(client, folder / "bin"))


def main(lock: Path, entry: Path) -> None:
    with exclusive(entry):
        if is_complete(entry):
            return
        start = time.monotonic()
        folder = entry.parent / f"{entry.name}-{interpreter_id()}"
        say(f"installing Pants for CPython {platform.python_version()} into {folder} (once)")
        # Folders without a link to them are unused: an interrupted installation left them behind.
        for leftover in [entry, *entry.parent.glob(f"{entry.name}-*")]:
            remove(leftover)
        try:
            create(folder, lock)
        except BaseException:
            remove(folder)
            raise
        publish(folder, entry)
        say(f"installed Pants in {time.monotonic() - start:.0f} s")
