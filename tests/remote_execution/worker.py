"""Workers on this machine: buildbox from Debian sid, in a root filesystem with nothing else.

There is no shell, no Python and no program except buildbox's own, and glibc differs from that of
the base. So processes find only their inputs.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from remote_cache.buildgrid import Unavailable, running, wait_for
from remote_execution.service import Service

_LIST = """\
[release]
name = sid
architectures = amd64

[base]
buildbox
"""
_DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}


def install() -> Path:
    """A root filesystem with buildbox, which the first call makes in the user's cache, from
    packages on Debian's mirror. Raises Unavailable.
    """
    if os.geteuid() != 0:
        raise Unavailable("chroot(2), in which workers run, is for root")
    for program in ("dpkg-deb", "gpgv", "setpriv", "chroot"):
        if shutil.which(program) is None:
            raise Unavailable(f"there is no {program}, which is needed to make workers")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "inseam/buildbox"
    home.mkdir(parents=True, exist_ok=True)
    root = home / "root"
    with open(home / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "installed").exists():
            shutil.rmtree(root, ignore_errors=True)
            try:
                _make(home, root)
            except subprocess.CalledProcessError as error:
                text = (error.stderr or b"").decode(errors="replace")
                raise Unavailable(f"Debian's buildbox can't be installed:\n{text}") from None
            (root / "installed").touch()
    return root


def _make(home: Path, root: Path) -> None:
    packages, lock, debs = home / "packages.ini", home / "lock.json", home / "debs"
    packages.write_text(_LIST)
    _program("lock_debs", "--packages", packages, "--output", lock, "--allow-expired")
    for locked in json.loads(lock.read_text())["packages"]["amd64"]:
        package = [f"--{key}={value}" for key, value in locked.items() if key != "groups"]
        _program("fetch_deb", *package, "--release=sid", "--out", debs)
    root.mkdir()
    for folder in ("lib", "lib64", "bin"):
        (root / folder).symlink_to(f"usr/{folder}")
    for deb in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True, capture_output=True)
    for folder in ("tmp", "dev", "worker"):
        (root / folder).mkdir(exist_ok=True)
    for name, (major, minor) in _DEVICES.items():
        os.mknod(root / "dev" / name, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    shutil.rmtree(debs)


def _program(name: str, *arguments: object) -> None:
    subprocess.run(
        [sys.executable, "-B", "-m", "inseam.programs", name, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": "pants-plugins"},
        check=True,
        capture_output=True,
    )


@dataclass(frozen=True)
class Worker:
    """A running worker."""

    processes: tuple[subprocess.Popen[bytes], ...]
    log: Path

    def kill(self) -> None:
        """Kills it, so that it does not report the processes that it runs."""
        for process in self.processes:
            process.kill()
            process.wait()


@contextmanager
def working(root: Path, service: Service, folder: Path, name: str) -> Iterator[Worker]:
    """Runs a worker with its own storage, in a copy of the root that shares its files.

    folder: for its log.
    """
    own = root.parent / f"{os.getpid()}-{name}"
    shutil.copytree(root, own, symlinks=True, copy_function=_link, ignore=_devices)
    for device, (major, minor) in _DEVICES.items():
        os.mknod(own / "dev" / device, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
    log = folder / f"{name}.log"
    url, storage = f"http://127.0.0.1:{service.port}", "unix:/worker/storage.sock"
    # fmt: off
    casd: list[Union[str, Path]] = [
        "chroot", own, "/usr/bin/buildbox-casd", f"--remote={url}", f"--bind={storage}",
        "--quota-high=5G", "--reserved=1M", "--log-level=warning", "/worker/storage",
    ]
    worker: list[Union[str, Path]] = [
        "chroot", own, "/usr/bin/buildbox-worker", f"--bots-remote={url}",
        f"--cas-remote={storage}", "--buildbox-run=/usr/bin/buildbox-run-hosttools",
        "--runner-arg=--staging-mode=copy-or-link", "--concurrent-jobs=2", name,
    ]
    # fmt: on
    try:
        with ExitStack() as stack:
            first = stack.enter_context(running(casd, log))
            wait_for(lambda: (own / "worker/storage.sock").exists(), first, log)
            yield Worker((stack.enter_context(running(worker, log)), first), log)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


def _devices(folder: str, names: list[str]) -> list[str]:
    return names if Path(folder).name == "dev" else []
