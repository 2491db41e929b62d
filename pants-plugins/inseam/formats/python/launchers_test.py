from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from inseam.formats.python.launchers import probe_script, server_script
from inseam.formats.python.script_testing import run_script


@pytest.mark.parametrize(
    "server, module, expected",
    [
        (
            "uvicorn",
            "main",
            "--host :: --port 81 --timeout-graceful-shutdown 3 shop:app --workers 2",
        ),
        (
            "gunicorn",
            "run",
            "--bind [::]:81 --worker-tmp-dir /dev/shm --graceful-timeout 3 shop:app --workers 2",
        ),
    ],
)
def test_a_server_is_started_with_the_application_at_the_address_of_the_environment(
    tmp_path: Path, server: str, module: str, expected: str
) -> None:
    for name in ("uvicorn/main.py", "gunicorn/app/wsgiapp.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("import sys\ndef main(): print(*sys.argv[1:])\nrun = main\n")
    env = {"HOST": "::", "PORT": "81", "SHUTDOWN_TIMEOUT": "3"}
    script = server_script(server, "shop:app")
    assert run_script(tmp_path, script, "--workers", "2", **env) == (0, f"{expected}\n")
    assert "0.0.0.0" in run_script(tmp_path, script)[1]


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
