"""A real remote cache: BuildGrid from the package index, with disk storage, on a loopback port."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parent / "buildgrid.txt"
MINOR = "3.13"  # of CPython; BuildGrid 0.9 needs it

_CONFIG = """\
description: A cache for one test.
server:
  - !channel
    address: "127.0.0.1:{port}"
    insecure-mode: true
authorization:
  method: none
storages:
  - !disk-storage &storage
    path: {storage}
caches:
  - !lru-action-cache &actions
    storage: *storage
    max-cached-refs: 4096
    allow-updates: true
    cache-failed-actions: false
instances:
  - name: ""
    description: The only instance.
    services:
      - !action-cache
        cache: *actions
      - !cas
        storage: *storage
      - !bytestream
        storage: *storage
thread-pool-size: 20
"""

# So that a killed test leaves no server behind.
_DIES_WITH_ITS_PARENT = ("setpriv", "--pdeathsig=TERM") if shutil.which("setpriv") else ()


class Unavailable(Exception):
    """BuildGrid can't be run here; the message says why."""


def install() -> Path:
    """The folder of a virtual environment with BuildGrid, which the first call makes in the user's
    cache. Raises Unavailable."""
    python = _find_python()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inseam/buildgrid"
    name = hashlib.sha256(LOCK.read_bytes() + python.encode()).hexdigest()[:16]
    venv = home / name
    done = venv / "installed"
    home.mkdir(parents=True, exist_ok=True)
    with open(home / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(venv, ignore_errors=True)
            subprocess.run([python, "-m", "venv", str(venv)], check=True)
            pip = [str(venv / "bin/python"), "-m", "pip", "install", "-q", "--only-binary=:all:"]
            result = subprocess.run(
                [*pip, "--require-hashes", "-r", str(LOCK)],
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode != 0:
                raise Unavailable(f"pip can't install BuildGrid here:\n{result.stderr[-2000:]}")
            done.touch()
    return venv


def _find_python() -> str:
    folders = [Path(folder) for folder in os.get_exec_path()]
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    folders += sorted(versions.glob(f"{MINOR}*/bin"), reverse=True)
    for folder in folders:
        python = folder / f"python{MINOR}"
        # A shim of pyenv exists, but does not run unless its version is selected.
        if os.access(python, os.X_OK) and not subprocess.call(
            [python, "-c", "import venv"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ):
            return str(python)
    raise Unavailable(f"BuildGrid needs CPython {MINOR}, and there is none here")


def free_port() -> int:
    """A TCP port on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, stop: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program, which gets the signal `stop` at the end of the block."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [*_DIES_WITH_ITS_PARENT, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until the process makes the condition true. Raises AssertionError, with the log, if the
    process ends first, or after two minutes.
    """
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        if condition():
            return
        time.sleep(0.1)
    command = " ".join(map(str, process.args))  # type: ignore[arg-type, union-attr]
    raise AssertionError(f"{command} does not start:\n{log.read_text(errors='replace')[-4000:]}")


def listens(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Server:
    """A running server. storage: the folder of its blobs."""

    process: subprocess.Popen[bytes]
    port: int
    storage: Path

    @property
    def address(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def blobs(self) -> list[Path]:
        """The files of its content-addressable storage."""
        return [path for path in (self.storage / "cas/objects").rglob("*") if path.is_file()]

    def kill(self) -> None:
        """Kills it."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(venv: Path, folder: Path) -> Iterator[Server]:
    """Runs a server, with its storage in `folder`, until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config, log = folder / f"{port}.yml", folder / f"{port}.log"
    config.write_text(_CONFIG.format(port=port, storage=folder / "storage"))
    with running([venv / "bin/bgd", "server", "start", config], log) as process:
        wait_for(lambda: listens(port), process, log)
        yield Server(process, port, folder / "storage")
