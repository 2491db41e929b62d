"""Whatever ends `export`, the store holds whole blobs only, and the next run succeeds."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from random import Random

import pytest

from inseam.formats.oci.metadata import read_metadata
from inseam.tools.own import LOCK, MARKER
from inseam.tools.store import blobs_of, missing
from oci import tiny
from oci.programs import call, command, environment, run_program

EXPORT = ("export", "--store=store", "--layout=app", "image", "rootfs", "deps", "app_")


def check_store(folder: Path) -> None:
    """Every blob is what its name says; a layout that is there is complete."""
    for blob in (folder / "store/blobs/sha256").glob("[0-9a-f]*"):
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    if (folder / "app/index.json").exists():
        (entry,) = json.loads((folder / "app/index.json").read_bytes())["manifests"]
        image = read_metadata(folder / "app")
        assert image.digest == entry["digest"]
        assert not missing(folder / "app", blobs_of(image).items())


def test_a_run_that_is_killed_at_any_moment(folder: Path) -> None:
    tiny.build(folder, large=20_000_000)
    os.rename(folder / "app", folder / "app_")
    source = Random(4711)
    for _ in range(15):
        process = subprocess.Popen(command(*EXPORT), cwd=folder, env=environment())
        time.sleep(source.uniform(0.03, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        check_store(folder)
        result = run_program(*EXPORT, cwd=folder)
        assert result.returncode == 0, result.stderr
        check_store(folder)
        assert (folder / "app/index.json").exists()
        left = [
            path
            for path in folder.rglob(".*")
            if path.is_file() and path.name not in (LOCK, MARKER)
        ]
        assert left == []
        call(["rm", "-r", str(folder / "store"), str(folder / "app")])


def test_a_full_disk(folder: Path) -> None:
    """A separate small filesystem, if this user may mount one."""
    tiny.build(folder, large=3_000_000)
    os.rename(folder / "app", folder / "app_")
    (folder / "store").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder / "store")]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        result = run_program(*EXPORT, cwd=folder)
        assert result.returncode == 1
        assert "src/tiny:app: not enough space" in result.stderr
        assert "Free some space and run the same command again" in result.stderr
        check_store(folder)
        assert not (folder / "app/index.json").exists()
        call(["mount", "-o", "remount,size=20m", str(folder / "store")])
        result = run_program(*EXPORT, cwd=folder)
        assert result.returncode == 0, result.stderr
        check_store(folder)
    finally:
        call(["umount", str(folder / "store")])
