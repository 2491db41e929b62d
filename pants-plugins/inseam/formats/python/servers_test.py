from __future__ import annotations

from pathlib import Path

import pytest

from inseam.formats.python.script_testing import run_script
from inseam.formats.python.servers import server_script

PRINTS = "import sys\ndef main(): print(*sys.argv[1:])\nrun = main\n"
FAKES = {
    "uvicorn/__init__.py": "class Server:\n    def shutdown(self): ...\n",
    "uvicorn/main.py": PRINTS,
    # Packages, which win over those that are installed.
    "gunicorn/__init__.py": "",
    "gunicorn/app/__init__.py": "",
    "gunicorn/workers/__init__.py": "",
    "gunicorn/app/wsgiapp.py": PRINTS,
    "gunicorn/workers/gthread.py": "class ThreadWorker: ...\n",
    "gunicorn/arbiter.py": "class Arbiter:\n    def stop(self): ...\n",
}


@pytest.mark.parametrize(
    "server, expected",
    [
        (
            "uvicorn",
            "--host :: --port 81 --timeout-graceful-shutdown 3 shop:app --workers 2",
        ),
        (
            "gunicorn",
            "--bind [::]:81 --worker-tmp-dir /dev/shm --graceful-timeout 3 shop:app --workers 2",
        ),
    ],
)
def test_a_server_is_started_with_the_application_at_the_address_of_the_environment(
    tmp_path: Path, server: str, expected: str
) -> None:
    for name, text in FAKES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    env = {"HOST": "::", "PORT": "81", "SHUTDOWN_TIMEOUT": "3"}
    script = server_script(server, "shop:app")
    assert run_script(tmp_path, script, "--workers", "2", **env) == (0, f"{expected}\n")
    assert "0.0.0.0" in run_script(tmp_path, script)[1]
    factory = server_script(server, "shop:make", is_factory=True)
    called = {"uvicorn": "--factory shop:make", "gunicorn": "shop:make()"}[server]
    assert run_script(tmp_path, factory, "--workers", "2", **env) == (
        0,
        expected.replace("shop:app", called) + "\n",
    )
