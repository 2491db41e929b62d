"""Decides how the container of a service runs: its command, environment and directories."""

from __future__ import annotations

from collections.abc import Mapping

from inseam.formats.oci.config import INIT
from inseam.formats.python.venv import SCRIPTS

DEFAULT_ENV = {
    "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "VIRTUAL_ENV": "/opt/venv",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
USER = "65532:65532"
# Where a service listens if it has a `server` or a `healthcheck_path`.
PORT = "8000"


def script(name: str) -> str:
    """Absolute path of the console script of that name."""
    return f"/{SCRIPTS}/{name}"


def command(name: str, init: bool) -> tuple[str, ...]:
    """The command of a container that runs the console script `name`, optionally under an init
    process.
    """
    return (*((INIT, "--") if init else ()), script(name))


def environment(env: Mapping[str, str], more: Mapping[str, str] = {}) -> dict[str, str]:
    """The whole environment of a service: the defaults, `more` defaults, then its own variables."""
    return {**DEFAULT_ENV, **more, **env}
