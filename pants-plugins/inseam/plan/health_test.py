from __future__ import annotations

from typing import Any, Mapping

import pytest

from inseam.formats.oci.config import Healthcheck
from inseam.formats.oci.container import HttpGet, Probes
from inseam.formats.python.entry_point import HttpCheck
from inseam.plan.health import (
    DeclaredProbes,
    HealthOptions,
    parse_health_options,
    parse_probes,
    probes_of,
)

COMMAND = ("/opt/venv/bin/healthcheck",)
PATHS = DeclaredProbes("/up", "/ready", "/up")


def probes(
    declared: DeclaredProbes = PATHS,
    options: HealthOptions = HealthOptions(),
    command: tuple[str, ...] = COMMAND,
    ports: tuple[str, ...] = (),
    env: Mapping[str, str] = {},
) -> Probes | None:
    return probes_of(command, declared, options, env=env, ports=ports)


def test_what_is_not_declared_is_as_it_is_in_docker() -> None:
    options = parse_health_options({})
    assert options.healthcheck(COMMAND) == Healthcheck(COMMAND)
    assert options.check == HttpCheck()


def test_all_that_is_declared_is_used() -> None:
    raw = {"interval": 30, "timeout": 5, "start_period": 60.5, "retries": 9}
    http = {"host": "shop.example:81", "scheme": "https", "method": "HEAD", "status": [200, 401]}
    options = parse_health_options({**raw, **http})
    assert options.healthcheck(COMMAND) == Healthcheck(COMMAND, 30, 5, 60.5, 9)
    assert options.check == HttpCheck("shop.example:81", "https", "HEAD", (200, 401), 5)
    assert parse_health_options({"status": 204}).status == (204,)


@pytest.mark.parametrize(
    "raw, why",
    [
        ({"period": 1}, "the unknown key 'period'. Its keys are interval, timeout"),
        ({"interval": 0}, "interval=0, which must be a number of seconds from 0.1"),
        ({"timeout": "2"}, "timeout='2'"),
        ({"timeout": True}, "timeout=True"),
        ({"interval": float("nan")}, "interval=nan"),
        ({"retries": 1.5}, "retries=1.5, which must be a whole number from 1"),
        ({"host": "a\r\nb: c"}, "host="),
        ({"scheme": "ftp"}, "scheme='ftp', which must be one of http, https"),
        ({"method": "get"}, "method='get'"),
        ({"status": [99]}, "status=99"),
        ({"status": "200"}, "status='200'"),
    ],
)
def test_options_that_cannot_be_used_are_named(raw: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_health_options(raw)
    assert why in str(error.value)


@pytest.mark.parametrize(
    "raw, why",
    [
        ({"ready": "/x"}, "the unknown key 'ready'. Its keys are startup, readiness, liveness"),
        ({"readiness": "ready"}, "readiness='ready', which must be a path such as '/ready'"),
        ({"liveness": None}, "liveness=None"),
        ({"exec": "yes"}, "exec='yes'"),
    ],
)
def test_probes_that_cannot_be_used_are_named(raw: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_probes(raw)
    assert why in str(error.value)


@pytest.mark.parametrize(
    "ports, env, port",
    [
        ((), {}, 8000),
        (("53/udp", "81/tcp"), {}, 81),
        (("81",), {"PORT": "82"}, 82),
    ],
)
def test_kubernetes_asks_the_port_on_which_the_service_listens(
    ports: tuple[str, ...], env: dict[str, str], port: int
) -> None:
    found = probes(ports=ports, env=env)
    up = HttpGet("/up", port)
    assert found == Probes(up, HttpGet("/ready", port), up)


def test_the_host_and_the_scheme_are_those_of_the_health_check() -> None:
    found = probes(options=HealthOptions(host="a.example", scheme="https", interval=7))
    assert found is not None
    assert found.readiness == HttpGet("/ready", 8000, "https", "a.example")
    assert found.times.interval == 7


@pytest.mark.parametrize(
    "declared, options, env",
    [
        (PATHS._replace(exec=True), HealthOptions(), {}),
        (PATHS, HealthOptions(method="HEAD"), {}),
        (PATHS, HealthOptions(status=(204,)), {}),
        (PATHS, HealthOptions(), {"HOST": "127.0.0.1"}),
        (PATHS, HealthOptions(), {"PORT": "$PORT"}),
    ],
)
def test_what_kubernetes_cannot_ask_the_health_check_asks(
    declared: DeclaredProbes, options: HealthOptions, env: dict[str, str]
) -> None:
    found = probes(declared, options, env=env)
    assert found is not None
    assert found.readiness == (*COMMAND, "--path", "/ready")


def test_without_a_path_the_health_check_is_the_probe() -> None:
    assert probes(DeclaredProbes()) == Probes(COMMAND, COMMAND, COMMAND)
    ready = DeclaredProbes(readiness="/ready")
    assert probes(ready) == Probes(COMMAND, HttpGet("/ready", 8000), COMMAND)
    assert probes(ready, command=()) == Probes((), HttpGet("/ready", 8000), ())
    assert probes(DeclaredProbes(), command=()) is None
