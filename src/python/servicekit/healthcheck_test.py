"""What the probe says, and what it costs."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from servicekit import healthcheck
from servicekit.response import Response
from servicekit.routes import Routes
from servicekit.testing import serving


@contextmanager
def answering(*pieces: bytes) -> Iterator[int]:
    """A port whose first client gets these bytes, then silence until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def serve() -> None:
            connection, _ = listener.accept()
            kept.append(connection)
            for piece in pieces:
                connection.sendall(piece)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)
        for each in kept:
            each.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = healthcheck.main(arguments)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_a_healthy_service_is_zero(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Routes()) as client:
        assert run(capsys, "--port", str(client.port)) == (0, "healthy: 200\n")
        url = f"http://127.0.0.1:{client.port}/ready"
        assert run(capsys, f"--url={url}") == (0, "healthy: 200\n")
        assert run(capsys, "--url", f"http://localhost:{client.port}/health")[0] == 0


def test_the_port_comes_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Routes()) as client:
        monkeypatch.setenv("PORT", str(client.port))
        assert run(capsys)[0] == 0
    monkeypatch.setenv("PORT", "x")
    assert run(capsys)[0] == 2


def test_the_probe_speaks_ipv6(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Routes(), host="::1") as client:
        assert run(capsys, "--url", f"http://[::1]:{client.port}/health")[0] == 0


def test_a_bad_status_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Routes()) as client:
        port = str(client.port)
        assert run(capsys, "--port", port, "--path", "/none") == (
            1,
            f"bad status: 404 from 127.0.0.1:{port}/none, expected 200 to 299\n",
        )
        assert run(capsys, "--port", port, "--path", "/none", "--expect-status", "404")[0] == 0
        code, text = run(capsys, "--port", port, "--expect-status=204")
        assert (code, text.endswith("/health, expected 204\n")) == (1, True)


def test_a_redirection_is_not_health(capsys: pytest.CaptureFixture[str]) -> None:
    routes = Routes()
    routes.add("GET", "/moved", lambda request: Response(302, headers=(("location", "/"),)))
    with serving(routes) as client:
        assert run(capsys, "--port", str(client.port), "--path", "/moved")[0] == 1


def test_a_refused_connection_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    port = closed_port()
    assert run(capsys, "--port", str(port)) == (
        1,
        f"refused: nothing listens on 127.0.0.1:{port}\n",
    )


@pytest.mark.parametrize("pieces", [(), (b"HTTP/1.1 2",)])
def test_silence_is_a_timeout(
    capsys: pytest.CaptureFixture[str], pieces: tuple[bytes, ...]
) -> None:
    with answering(*pieces) as port:
        assert run(capsys, "--port", str(port), "--timeout", "0.2") == (
            1,
            f"timeout: no answer from 127.0.0.1:{port} within 0.2 s\n",
        )


def test_a_status_line_in_pieces_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(b"HTT", b"P/1.1 200", b" OK\r\n") as port:
        assert run(capsys, "--port", str(port))[0] == 0


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n", b"x" * 9000, b"\n"])
def test_something_other_than_http_is_told(
    capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    with answering(answer) as port:
        code, text = run(capsys, "--port", str(port))
        assert (code, text.startswith("bad answer: ")) == (1, True)


def test_an_unknown_host_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(capsys, "--url", "http://no.such.host.invalid/")
    assert (code, text.startswith("failed: no.such.host.invalid:80: ")) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--unknown"],
        ["health"],
        ["--port"],
        ["--port", "0"],
        ["--port", "65536"],
        ["--port", "\uff18\uff10"],
        ["--timeout", "0"],
        ["--timeout", "nan"],
        ["--timeout", "soon"],
        ["--expect-status", "99"],
        ["--path", "health"],
        ["--path", "/a b"],
        ["--path", "/a\r\nX: y"],
        ["--url", "https://localhost/"],
        ["--url", "localhost:80"],
        ["--url", "http://"],
        ["--url", "http://x:y/"],
        ["--url", "http://é/"],
        ["--url", "http://x/", "--port", "80"],
    ],
)
def test_wrong_usage_is_two(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, text = run(capsys, *arguments)
    assert code == 2
    assert text.startswith("usage: ")
    assert "\nhealthcheck: " in text


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_given(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert run(capsys, option) == (0, healthcheck.USAGE)


def imported_modules(statement: str) -> int:
    """How many modules an interpreter imports for a statement, above those it starts with."""
    program = (
        f"import sys; before = len(sys.modules)\n{statement}\nprint(len(sys.modules) - before)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    output = subprocess.check_output([sys.executable, "-B", "-c", program], env=environment)
    return int(output.splitlines()[-1])


def test_the_probe_imports_next_to_nothing() -> None:
    own = imported_modules("from servicekit.healthcheck import main; main(['--port', '9'])")
    urllib = imported_modules("import urllib.request")
    assert own <= 6  # servicekit, its healthcheck, _socket, time, an encoding or two
    assert own * 10 < urllib
