from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from inseam.formats.python.entry_point import HttpCheck, parse_entry_point
from inseam.formats.python.launchers import probe_script
from inseam.formats.python.script_testing import run_script


def ask(
    folder: Path, script: bytes, answer: bytes, *argv: str, **env: str
) -> tuple[int, str, bytes]:
    """Exit code and output of a probe that gets this answer, and what it sent."""
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
        found, output = run_script(folder, script, *argv, **{"PORT": port, **env})
        thread.join()
    return found, output, asked[0]


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
    found, output, asked = ask(tmp_path, probe_script("/health?a=1"), answer)
    assert asked.startswith(b"GET /health?a=1 HTTP/1.1\r\nHost: localhost\r\n")
    assert found == code
    assert ("/health?a=1: bad answer" in output) == bool(code)


def test_the_probe_says_why_nobody_answers(tmp_path: Path) -> None:
    for port in ("1", "none"):
        code, output = run_script(tmp_path, probe_script("/health"), PORT=port)
        assert code == 1
        assert output.startswith("/health: ")
        assert output.count("\n") == 1


@pytest.mark.parametrize("status, code", [(200, 1), (204, 0), (401, 0)])
def test_the_probe_asks_and_judges_as_it_is_told(tmp_path: Path, status: int, code: int) -> None:
    check = HttpCheck("shop.example", method="POST", status=(204, 401))
    answer = f"HTTP/1.1 {status} x\r\n\r\n".encode()
    found, _, asked = ask(tmp_path, probe_script("/up", check), answer)
    assert found == code
    assert asked.startswith(b"POST /up HTTP/1.1\r\nHost: shop.example\r\n")
    assert b"\r\nContent-Length: 0\r\n" in asked


def test_the_probe_asks_for_another_path(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n"
    _, _, asked = ask(tmp_path, probe_script("/up"), answer, "--path", "/ready")
    assert asked.startswith(b"GET /ready HTTP/1.1\r\n")


def test_a_service_at_all_addresses_is_asked_at_that_which_the_machine_has(tmp_path: Path) -> None:
    """Nothing listens at ::1, as on a machine without IPv6."""
    answer = b"HTTP/1.1 200 OK\r\n\r\n"
    assert ask(tmp_path, probe_script("/up"), answer, HOST="::")[:2] == (0, "")
    without = probe_script("/up").replace(b"AF_INET6 if", b"9999 if")
    assert ask(tmp_path, without, answer, HOST="::")[:2] == (0, "")


@pytest.mark.parametrize("timeout, code", [(0.2, 1), (10, 0)])
def test_the_probe_waits_as_long_as_it_is_told(tmp_path: Path, timeout: float, code: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                time.sleep(0.5)
                client.send(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        script = probe_script("/up", HttpCheck(timeout=timeout))
        found, output = run_script(tmp_path, script, PORT=str(listener.getsockname()[1]))
        thread.join()
    assert (found, "timed out" in output) == (code, bool(code))


def test_a_probe_over_tls_does_not_verify_the_certificate(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"]
        + ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with context.wrap_socket(client, server_side=True) as secure:
                secure.recv(1000)
                secure.send(b"HTTP/1.1 200 OK\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        script = probe_script("/up", HttpCheck(scheme="https"))
        found = run_script(tmp_path, script, PORT=str(listener.getsockname()[1]))
        thread.join()
    assert found == (0, "")


def test_what_a_probe_asks_for_is_an_argument_of_programs() -> None:
    text = 'healthcheck=/up ["shop.example", "https", "HEAD", [204], 3]'
    found = parse_entry_point(text)
    assert found.check == HttpCheck("shop.example", "https", "HEAD", (204,), 3)
    assert (str(found), found.module) == (text, "/up")
    assert str(parse_entry_point("healthcheck=/up")) == "healthcheck=/up"
