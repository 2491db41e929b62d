"""Decides how the container of a service runs: its command, environment and directories."""

from __future__ import annotations

from collections.abc import Mapping

from inseam.formats.python.entry_point import CONSOLE_SCRIPTS
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
ENTRY_POINT = f"/{SCRIPTS}/{CONSOLE_SCRIPTS['entry_point']}"
HEALTHCHECK = f"/{SCRIPTS}/{CONSOLE_SCRIPTS['healthcheck']}"
INIT = "/usr/bin/tini"
STOP_SIGNAL = "SIGTERM"
WORKING_DIR = "/app"


def command(init: bool) -> tuple[str, ...]:
    """The command of a service's container, behind an init process or not."""
    return (*((INIT, "--") if init else ()), ENTRY_POINT)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a service: the defaults, then its own."""
    return {**DEFAULT_ENV, **env}
