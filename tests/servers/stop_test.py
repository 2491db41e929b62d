"""SIGTERM under load, to the servers that `server` starts: no request is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from images import load
from inseam.formats.python.servers import server_script

CONNECTIONS = 100
REQUESTS = 800
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
APPLICATIONS = {"uvicorn": "servers.application:asgi", "gunicorn": "servers.application:wsgi"}


@contextmanager
def serving(
    folder: Path, argv: list[str], **env: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server, and the port on which it answers, which its environment names."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, *argv],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "HOST": "127.0.0.1",
                "PORT": str(port),
                **env,
            },
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    probe.sendall(REQUEST)
                    if probe.recv(100).startswith(b"HTTP/1.1 200"):
                        break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield process, port
    finally:
        process.kill()
        process.wait()


def script(folder: Path, server: str) -> str:
    path = folder / "entrypoint"
    path.write_bytes(server_script(server, APPLICATIONS[server]))
    return str(path)


def stopped_under_load(process: subprocess.Popen[bytes], port: int) -> load.Outcome:
    """What becomes of the requests of busy connections when SIGTERM comes."""
    stopped = False

    def turn(outcome: load.Outcome) -> bool:
        nonlocal stopped
        if outcome.answered >= REQUESTS and not stopped:
            stopped = True
            process.send_signal(signal.SIGTERM)
        return outcome.answered < 20 * REQUESTS  # it never stopped

    outcome = load.run(port, CONNECTIONS, REQUEST, turn)
    print(outcome.answered, len(outcome.lost), outcome.refused)
    return outcome


@pytest.mark.parametrize(
    "server, options",
    [
        ("uvicorn", ["--no-access-log"]),
        ("uvicorn", ["--no-access-log", "--workers=2"]),
        ("gunicorn", []),
        ("gunicorn", ["--worker-class=gthread", "--threads=8"]),
    ],
)
def test_no_request_is_lost(tmp_path: Path, server: str, options: list[str]) -> None:
    with serving(tmp_path, [script(tmp_path, server), *options]) as (process, port):
        outcome = stopped_under_load(process, port)
        assert process.wait(30) == 0, (tmp_path / "log").read_text()
    assert outcome.lost == []
    assert REQUESTS <= outcome.answered < 20 * REQUESTS


def test_the_load_sees_what_a_server_loses_by_itself(tmp_path: Path) -> None:
    """Without that, the test above would pass for a load that notices nothing."""
    # It binds to 127.0.0.1:$PORT by default.
    argv = ["-m", "gunicorn", APPLICATIONS["gunicorn"]]
    with serving(tmp_path, argv) as (process, port):
        outcome = stopped_under_load(process, port)
    assert outcome.lost


@pytest.mark.parametrize(
    "server, reference",
    [("uvicorn", "servers.application:make_asgi"), ("gunicorn", "servers.application:make_wsgi")],
)
def test_a_factory_is_called_for_the_application(
    tmp_path: Path, server: str, reference: str
) -> None:
    path = tmp_path / "entrypoint"
    path.write_bytes(server_script(server, reference, is_factory=True))
    with serving(tmp_path, [str(path)]) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("server", sorted(APPLICATIONS))
def test_a_delay_before_the_end_lets_new_clients_in(tmp_path: Path, server: str) -> None:
    with serving(tmp_path, [script(tmp_path, server)], DRAIN_DELAY="2") as (process, port):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(REQUEST)
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert process.wait(30) == 0
