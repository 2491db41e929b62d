from __future__ import annotations

import json
from typing import Any, Mapping

import pytest

from inseam.formats.failure import Failure
from inseam.formats.oci.config import (
    EPOCH,
    Healthcheck,
    ImageConfig,
    Platform,
    Runtime,
    configuration,
    dump_config,
    parse_config,
    parse_platform,
    parse_runtime,
)
from inseam.formats.oci.layer import Layer
from inseam.formats.oci.oci_testing import SERVICE

BASE_LAYER = Layer("rootfs", "sha256:" + "b" * 64, 1)
APP_LAYER = Layer("app", "sha256:" + "d" * 64, 1)
BASE: dict[str, Any] = {
    "architecture": "amd64",
    "os": "linux",
    "config": {
        "Env": ["PATH=/usr/local/bin:/usr/bin", "GPG_KEY=A=B", "LANG=C"],
        "Cmd": ["python3"],
        "ExposedPorts": {"9/tcp": {}},
        "Labels": {"maintainer": "them", "team": "base"},
        "Volumes": {"/data": {}},
        "User": "0",
        "Hostname": "builder-7",
        "OnBuild": ["RUN x"],
    },
    "history": [{"created_by": "ADD"}, {"created_by": "CMD", "empty_layer": True}],
}


def of(config: ImageConfig, base: Mapping[str, Any] = BASE) -> dict[str, Any]:
    return configuration(
        config,
        [APP_LAYER],
        platform=Platform("linux", "amd64"),
        base=base,
        base_layers=[BASE_LAYER] if base else [],
        runtime=Runtime("3.11.2"),
    )


def test_an_image_says_all_that_it_is_told() -> None:
    execution = of(SERVICE, base={})["config"]
    assert execution == {
        "User": "65532:65532",
        "Env": ["LANG=C.UTF-8", "PATH=/opt/venv/bin:/usr/bin"],
        "ExposedPorts": {"8000/tcp": {}, "53/udp": {}},
        "Entrypoint": ["/opt/venv/bin/entrypoint"],
        "Cmd": ["--verbose"],
        "WorkingDir": "/app",
        "StopSignal": "SIGTERM",
        "Labels": {
            "org.opencontainers.image.title": "Größe",
            "team": "a",
            "org.inseam.python": "3.11.2",
        },
        "Healthcheck": {
            "Test": ["CMD", "/opt/venv/bin/healthcheck"],
            "Interval": 10_000_000_000,
            "Timeout": 2_000_000_000,
            "StartPeriod": 5_000_000_000,
            "Retries": 3,
        },
    }


def test_where_it_is_silent_the_base_has_the_word() -> None:
    execution = of(ImageConfig())["config"]
    labels = {**BASE["config"]["Labels"], "org.inseam.python": "3.11.2"}
    inherited = {"Env", "Cmd", "ExposedPorts", "Volumes", "User"}
    assert execution == {
        **{name: BASE["config"][name] for name in inherited},
        "Labels": labels,
    }


def test_its_variables_replace_the_base_s_in_their_place() -> None:
    execution = of(ImageConfig(env={"NEW": "1", "LANG": "C.UTF-8"}))["config"]
    assert execution["Env"] == [
        "PATH=/usr/local/bin:/usr/bin",
        "GPG_KEY=A=B",
        "LANG=C.UTF-8",
        "NEW=1",
    ]


def test_an_own_entrypoint_drops_the_base_s_arguments() -> None:
    execution = of(ImageConfig(entrypoint=("/run",)))["config"]
    assert execution["Entrypoint"] == ["/run"]
    assert "Cmd" not in execution


def test_what_belongs_to_the_base_s_build_is_not_inherited() -> None:
    assert not {"Hostname", "OnBuild"} & of(ImageConfig())["config"].keys()


def test_the_diff_ids_are_the_layers_from_the_lowest_up() -> None:
    rootfs = of(SERVICE)["rootfs"]
    assert rootfs == {"type": "layers", "diff_ids": [BASE_LAYER.diff_id, APP_LAYER.diff_id]}


@pytest.mark.parametrize(
    "history",
    [BASE["history"], None, [], [{"created_by": "one"}, {"created_by": "too many"}]],
)
def test_the_history_has_a_step_for_each_layer(history: Any) -> None:
    value = of(SERVICE, base={**BASE, "history": history})
    steps = [step for step in value["history"] if not step.get("empty_layer")]
    assert len(steps) == len(value["rootfs"]["diff_ids"])
    assert steps[-1] == {"created": EPOCH, "created_by": "inseam app"}


def test_the_time_is_fixed() -> None:
    assert of(SERVICE)["created"] == "1970-01-01T00:00:00Z"
    assert of(ImageConfig(created="2026-01-02T03:04:05Z"))["created"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("config", [SERVICE, ImageConfig()])
def test_a_configuration_is_read_as_it_was_written(config: ImageConfig) -> None:
    assert parse_config(json.loads(json.dumps(dump_config(config))), "here") == config


def test_what_is_not_said_is_not_written() -> None:
    assert dump_config(ImageConfig(user="1")) == {"user": "1"}


@pytest.mark.parametrize(
    "data", [{"colour": "red"}, [1], {"healthcheck": {}}, {"healthcheck": {"command": [], "x": 1}}]
)
def test_a_wrong_configuration_is_refused(data: Any) -> None:
    with pytest.raises(Failure, match="here is not an image configuration"):
        parse_config(data, "here")


def test_parts_of_seconds_become_nanoseconds() -> None:
    probe = Healthcheck(("x",), interval=0.1, timeout=1.5).docker()
    assert (probe["Interval"], probe["Timeout"]) == (100_000_000, 1_500_000_000)


def test_a_runtime_is_read_from_the_labels_that_it_becomes() -> None:
    runtime = Runtime("3.11.2", "/usr/bin/python3.11", "glibc 2.36")
    assert runtime.labels() == {
        "org.inseam.python": "3.11.2",
        "org.inseam.interpreter": "/usr/bin/python3.11",
        "org.inseam.libc": "glibc 2.36",
    }
    assert parse_runtime({**runtime.labels(), "team": "a"}) == runtime
    assert Runtime(libc="musl 1.2").labels() == {"org.inseam.libc": "musl 1.2"}
    assert parse_runtime({}) == Runtime()


@pytest.mark.parametrize("text", ["linux/amd64", "linux/arm64/v8"])
def test_a_platform_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_platform(text)) == text


def test_a_platform_has_the_fields_of_an_index() -> None:
    assert parse_platform("linux/arm64/v8").fields() == {
        "os": "linux",
        "architecture": "arm64",
        "variant": "v8",
    }
    assert parse_platform("linux/amd64").fields() == {"os": "linux", "architecture": "amd64"}


@pytest.mark.parametrize("text", ["linux", "", "linux/", "a/b/c/d"])
def test_what_is_not_a_platform_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="is not a platform"):
        parse_platform(text)
