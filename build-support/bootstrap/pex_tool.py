"""Builds the PEX tool that Pants runs, as one PEX file with reproducible bytes.

LOCK is a requirements file that pins `pex` with hashes. ENTRY is the folder to appear, with the
file `pex` and the file `known`, whose one line holds its SHA-256 and its size in bytes.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from bootstrap.cache import exclusive, fail, remove, say
from bootstrap.pip_runner import python_with_pip, run_pip


def build(lock: Path, scratch: Path, output: Path) -> None:
    """Downloads the locked wheel into `scratch` and lets the `pex` inside it build `output`.

    Every input of the bytes is given: the shebang (else it names the minor version of the Python
    that builds), stored members (else zlib's version shows), and the wheel itself, not installed.
    """
    wheels = scratch / "wheels"
    run_pip(
        [str(python_with_pip(scratch)), "-I", "-m", "pip"],
        ["download", "--require-hashes", "--no-deps", "--only-binary=:all:"]
        + ["--dest", str(wheels), "--requirement", str(lock)],
        lock,
    )
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "pex")
    requirement = "==".join(wheel.name.split("-")[:2])
    tool = subprocess.run(
        [sys.executable, "-s", "-m", "pex", requirement]
        + ["--no-pypi", "--find-links", str(wheels), "--console-script", "pex"]
        + ["--python-shebang", "/usr/bin/env python3", "--no-compress"]
        + ["--no-pre-install-wheels", "--no-strip-pex-env", "--output-file", str(output)],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "PEX_ROOT": str(scratch / "root"),
            "PYTHONPATH": str(scratch / "pex"),
        },
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        close_fds=False,
    )
    if tool.returncode:
        fail(f"building the PEX tool from {wheel.name} failed:\n{tool.stdout}")


def main(lock: Path, entry: Path) -> None:
    with exclusive(entry):
        if (entry / "known").is_file():
            return
        start = time.monotonic()
        say(f"building the PEX tool into {entry} (once)")
        making = entry.parent / f".{entry.name}.making"
        remove(making)
        making.mkdir()
        try:
            with tempfile.TemporaryDirectory(dir=making, prefix=".scratch-") as scratch:
                build(lock, Path(scratch), making / "pex")
            (making / "pex").chmod(0o755)
            content = (making / "pex").read_bytes()
            known = f"{hashlib.sha256(content).hexdigest()} {len(content)}\n"
            (making / "known").write_text(known)
            remove(entry)
            making.rename(entry)
        finally:
            remove(making)
        say(f"built the PEX tool in {time.monotonic() - start:.0f} s")
