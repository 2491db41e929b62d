from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from inseam.formats.python.launchers import probe_script
from inseam.formats.python.script_testing import run_script


@pytest.mark.parametrize(
    "answer, code",
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 0),
        (b"HTTP/1.0 302 Found\r\n\r\n", 0),
        (b"HTTP/1.1 503 No\r\n\r\n", 1),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", 1),
        (b"SSH-2.0-x 200 \r\n", 1),
        (b"", 1),
    ],
)
def test_the_probe_asks_for_its_path(tmp_path: Path, answer: bytes, code: int) -> None:
    asked = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            asked.append(client.recv(1000))
            client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        port = str(listener.getsockname()[1])
        found, output = run_script(tmp_path, probe_script("/health?a=1"), PORT=port)
        thread.join()
    assert asked[0].startswith(b"GET /health?a=1 HTTP/1.1\r\nHost: localhost\r\n")
    assert found == code
    assert ("/health?a=1: bad answer" in output) == bool(code)


def test_the_probe_says_why_nobody_answers(tmp_path: Path) -> None:
    for port in ("1", "none"):
        code, output = run_script(tmp_path, probe_script("/health"), PORT=port)
        assert code == 1
        assert output.startswith("/health: ")
        assert output.count("\n") == 1
