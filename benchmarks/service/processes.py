"""Servers under test: child processes on a loopback port, ended by their own id."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "python"
REFERENCE = Path(__file__).with_name("reference.py")
NAMES = ("service", "catalog", "reports", "reference")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port: int = holder.getsockname()[1]
        return port


def start(
    name: str, port: int, python: str = sys.executable, **settings: str
) -> subprocess.Popen[bytes]:
    """Starts one of NAMES and returns when it accepts connections; raises RuntimeError."""
    command = [str(REFERENCE), str(port)] if name == "reference" else ["-m", f"{name}.server"]
    environment = os.environ | {
        "PYTHONPATH": str(SOURCES),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LOG_LEVEL": "warning",
        **settings,
    }
    process = subprocess.Popen([python, *command], env=environment)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"{name} does not listen: exit code {process.wait()}")


@contextmanager
def running(name: str, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server and its port, for as long as the block runs."""
    port = free_port()
    process = start(name, port, **settings)
    try:
        yield process, port
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident and proportional set size (RSS, PSS) of a process, in MiB."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        found[name] = int(value) / 1024
    return found["Rss:"], found["Pss:"]


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
