from __future__ import annotations

import os
import socket
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from inseam.formats.python.bytecode import minor_version
from inseam.formats.python.venv import (
    console_script,
    probe_script,
    script_member,
    server_script,
    site_packages,
    skeleton,
)
from inseam.formats.tar import Member, write_tar

VERSION = ".".join(map(str, sys.version_info[:3]))
MINOR = "{}.{}".format(*minor_version())


def by_path(interpreter: str, version: str) -> dict[str, Member]:
    return {member.path: member for member in skeleton(interpreter, version)}


def test_what_a_venv_consists_of() -> None:
    members = by_path("/usr/bin/python3.11", "3.11.2")
    assert {path: member.link or member.content for path, member in members.items()} == {
        "opt/venv/pyvenv.cfg": (
            b"home = /usr/bin\nimplementation = CPython\nversion = 3.11.2\n"
            b"include-system-site-packages = false\n"
        ),
        "opt/venv/lib/python3.11/site-packages/app.pth": b"/app\n",
        "opt/venv/bin/python": "/usr/bin/python3.11",
        "opt/venv/bin/python3": "python",
        "opt/venv/bin/python3.11": "python",
        "opt/venv/lib64": "lib",
    }


def test_where_packages_are_installed() -> None:
    assert site_packages((3, 9)) == "opt/venv/lib/python3.9/site-packages"


@pytest.mark.parametrize("attribute", ["main", "App.run"])
def test_a_console_script_calls_the_function_and_exits_with_its_result(
    tmp_path: Path, attribute: str
) -> None:
    (tmp_path / "example.py").write_text(
        "import sys\n"
        "def main(): print(sys.argv); return 3\n"
        "class App:\n    run = staticmethod(main)\n"
    )
    script = tmp_path / "run"
    script.write_bytes(console_script("example", attribute))
    assert script.read_text().startswith("#!/opt/venv/bin/python\n")
    result = subprocess.run(
        [sys.executable, str(script), "a b"],
        env={"PYTHONPATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (3, f"['{script}', 'a b']\n")


def test_the_script_of_an_entry_point_is_an_executable_console_script() -> None:
    member = script_member("opt/venv/bin/entrypoint", console_script("a.b", "C.d"))
    assert member == Member("opt/venv/bin/entrypoint", console_script("a.b", "C.d"), 0o755)
    assert isinstance(member.content, bytes)
    assert b"from a.b import C\n" in member.content
    assert b"sys.exit(C.d())" in member.content


def run_script(folder: Path, content: bytes, *argv: str, **env: str) -> tuple[int, str]:
    """Exit code and output of a console script with modules in the same folder."""
    script = folder / "program"
    script.write_bytes(content)
    result = subprocess.run(
        [sys.executable, "-B", str(script), *argv],
        env={"PYTHONPATH": str(folder), **env},
        check=False,
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("module", ["my-service.main", "class.main", "v1.1st"])
def test_a_module_that_no_import_statement_can_name_is_started(tmp_path: Path, module: str) -> None:
    path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir()
    path.write_text("class App:\n    def run():\n        print(__name__)\n        return 4\n")
    assert run_script(tmp_path, console_script(module, "App.run")) == (4, f"{module}\n")


def test_a_module_is_run_as_by_python_m(tmp_path: Path) -> None:
    (tmp_path / "my-shop").mkdir()
    text = "import sys\nprint(__name__, __spec__.name, sys.argv[1:])\nsys.exit(5)\n"
    (tmp_path / "my-shop/__main__.py").write_text(text)
    code, output = run_script(tmp_path, console_script("my-shop", ""), "x")
    assert (code, output) == (5, "__main__ my-shop.__main__ ['x']\n")


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


def test_cpython_takes_it_for_a_venv(tmp_path: Path) -> None:
    base = Path(sys.executable).resolve()
    with open(tmp_path / "venv.tar", "wb") as out:
        write_tar(skeleton(str(base), VERSION), out)
    with tarfile.open(tmp_path / "venv.tar") as archive:
        archive.extractall(tmp_path)
    program = "import sys; print(sys.prefix, sys.base_prefix == sys.prefix, *sys.path, sep='\\n')"
    for name in ("python", "python3", f"python{MINOR}"):
        lines = subprocess.run(
            [str(tmp_path / "opt/venv/bin" / name), "-c", program],
            env={},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        assert lines[:2] == [str(tmp_path / "opt/venv"), "False"]
        # The .pth file adds /app, if there is such a folder, after site-packages.
        site = str(tmp_path / site_packages(minor_version()))
        assert lines[-1] == ("/app" if os.path.isdir("/app") else site)
