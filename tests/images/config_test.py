"""What the images declare."""

from __future__ import annotations

import re

from inseam.testing import Engine, Image

ENV = {
    "VIRTUAL_ENV": "/opt/venv",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
SECOND = 1_000_000_000


def test_the_environment_is_that_of_a_service(container_engine: Engine, image: Image) -> None:
    config = container_engine.inspect("image", image.reference)["Config"]
    env = dict(each.split("=", 1) for each in config["Env"])
    assert env.pop("PATH").startswith("/opt/venv/bin:")
    assert env == ENV


def test_user_is_numeric_and_not_root(container_engine: Engine, image: Image) -> None:
    config = container_engine.inspect("image", image.reference)["Config"]
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", config["User"])


def test_commands_are_in_exec_form(container_engine: Engine, image: Image) -> None:
    config = container_engine.inspect("image", image.reference)["Config"]
    assert config["Entrypoint"] == ["/opt/venv/bin/entrypoint"]
    assert not config.get("Cmd")
    assert config["Healthcheck"] == {
        "Test": ["CMD", "/opt/venv/bin/healthcheck"],
        "Interval": 10 * SECOND,
        "Timeout": 2 * SECOND,
        "StartPeriod": 5 * SECOND,
        "Retries": 3,
    }


def test_port_and_stop_signal_are_declared(container_engine: Engine, image: Image) -> None:
    config = container_engine.inspect("image", image.reference)["Config"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert config["StopSignal"] == "SIGTERM"
    assert not config.get("Volumes")
