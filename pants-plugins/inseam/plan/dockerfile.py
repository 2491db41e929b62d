"""Writes the instructions of a service's Dockerfile."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, Mapping

DEFAULT_ENV = {
    "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "VIRTUAL_ENV": "/opt/venv",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
ENTRY_POINT = "/opt/venv/bin/entrypoint"
INIT = "/usr/bin/tini"
HEALTHCHECK = "/opt/venv/bin/healthcheck"
WORKING_DIR = "/app"


@dataclass(frozen=True)
class ImageConfig:
    """What a service's image says beside its layers."""

    env: Mapping[str, str]
    user: str
    ports: tuple[str, ...]
    args: tuple[str, ...]
    healthcheck: bool
    init: bool = False


def entry_point(init: bool) -> tuple[str, ...]:
    """The command of a service's container, behind an init process or not."""
    return (*((INIT, "--") if init else ()), ENTRY_POINT)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a service: the defaults, then its own."""
    return {**DEFAULT_ENV, **env}


def layer_instructions(tars: Iterable[str]) -> tuple[str, ...]:
    """Dockerfile lines that add layers: tars with these paths in the build context."""
    return tuple(f"ADD {path} /" for path in tars)


def instructions(start: str, tars: Iterable[str], config: ImageConfig) -> tuple[str, ...]:
    """The Dockerfile of a service, which adds layers to an image and runs no command.

    start: address of a target that Pants replaces by the name of its image.
    tars: paths of the layers in the build context, lowest first.

    The text is the same for BuildKit and the legacy builder.
    """
    env = environment(config.env)
    return (
        f"ARG BASE_IMAGE={start}",
        "FROM ${BASE_IMAGE}",
        *layer_instructions(tars),
        "ENV " + " ".join(f"{name}={quoted(value)}" for name, value in env.items()),
        f"WORKDIR {WORKING_DIR}",
        f"USER {config.user}",
        *(f"EXPOSE {port}" for port in config.ports),
        "STOPSIGNAL SIGTERM",
        *(
            [
                "HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3"
                f" CMD {exec_form([HEALTHCHECK])}"
            ]
            if config.healthcheck
            else []
        ),
        f"ENTRYPOINT {exec_form(entry_point(config.init))}",
        *([f"CMD {exec_form(config.args)}"] if config.args else []),
    )


def exec_form(argv: Iterable[str]) -> str:
    """A command in exec form: a JSON array, run without a shell."""
    return json.dumps(list(argv))


def quoted(value: str) -> str:
    """A value of ENV, in double quotes, without expansion of variables."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
