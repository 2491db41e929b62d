from __future__ import annotations

from typing import Any

import pytest

from inseam.formats.oci.config import Healthcheck
from inseam.formats.oci.container import HttpGet, Probes, container
from inseam.formats.oci.metadata import RunHints

yaml = pytest.importorskip("yaml", reason="PyYAML reads the file")


def probes(target: str, healthcheck: Healthcheck) -> str:
    """The file of a container with one command for all probes."""
    command = healthcheck.command
    return container(target, RunHints(), Probes(command, command, command, healthcheck))


def pod_of(text: str) -> Any:
    """The fields of the Pod, which are in a comment."""
    return yaml.safe_load("".join(line[2:] for line in text.splitlines(True) if "#   " in line[:4]))


def test_all_that_a_cluster_has_to_know_is_there() -> None:
    hints = RunHints(
        "65532", ("8000/tcp", "53/udp"), "SIGTERM", ("/data",), ("/data", "/tmp", "/var/lib/Shop")
    )
    text = container("src:app", hints, None)
    assert yaml.safe_load(text) == {
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "var-lib-shop", "mountPath": "/var/lib/Shop"},
        ],
        "ports": [
            {"containerPort": 8000, "protocol": "TCP"},
            {"containerPort": 53, "protocol": "UDP"},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65532,
        },
    }
    # A claim belongs to root, and to this group.
    assert pod_of(text) == {
        "securityContext": {"fsGroup": 65532},
        "volumes": [{"name": name, "emptyDir": {}} for name in ("data", "tmp", "var-lib-shop")],
    }


@pytest.mark.parametrize(
    "user, expected",
    [
        ("0", {"runAsNonRoot": False, "runAsUser": 0}),
        ("1000", {"runAsNonRoot": True, "runAsUser": 1000}),
        ("", {}),
        ("www-data", {}),
    ],
)
def test_a_user_without_a_number_is_left_to_the_image(user: str, expected: object) -> None:
    value = yaml.safe_load(container("x", RunHints(user=user), None))["securityContext"]
    assert {name: one for name, one in value.items() if name.startswith("runAs")} == expected


@pytest.mark.parametrize("user, group", [("1000:5", 5), ("1000", 1000), ("", None), ("0:0", None)])
def test_volumes_belong_to_the_group_of_the_user(user: str, group: int | None) -> None:
    pod = pod_of(container("x", RunHints(user=user, writable=("/data",)), None))
    assert pod.get("securityContext") == (group and {"fsGroup": group})


def test_mounts_have_names_of_their_own() -> None:
    paths = ("/", "/a b", "/a/b", "/" + "x" * 80)
    value = yaml.safe_load(container("x", RunHints(writable=paths), None))["volumeMounts"]
    assert [one["mountPath"] for one in value] == list(paths)
    names = [one["name"] for one in value]
    assert names == ["volume", "a-b", "a-b-2", "x" * 50]


def test_the_three_probes_run_the_healthcheck() -> None:
    command = ["/opt/venv/bin/healthcheck", "--port", "9"]
    value = yaml.safe_load(probes("src:app", Healthcheck(tuple(command), interval=15, retries=4)))
    assert {name: one for name, one in value.items() if name.endswith("Probe")} == {
        "startupProbe": {
            "exec": {"command": command},
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": 60,
        },
        "readinessProbe": {
            "exec": {"command": command},
            "periodSeconds": 5,
            "timeoutSeconds": 2,
            "failureThreshold": 2,
        },
        "livenessProbe": {
            "exec": {"command": command},
            "periodSeconds": 15,
            "timeoutSeconds": 2,
            "failureThreshold": 4,
        },
    }


def test_a_probe_over_http_is_a_request_by_kubernetes() -> None:
    plain, secure = HttpGet("/up", 80), HttpGet("/ready?a=1", 81, "https", "shop.example")
    value = yaml.safe_load(container("x", RunHints(), Probes(plain, secure, ("probe",))))
    assert value["startupProbe"]["httpGet"] == {"path": "/up", "port": 80}
    assert value["readinessProbe"]["httpGet"] == {
        "path": "/ready?a=1",
        "port": 81,
        "scheme": "HTTPS",
        "httpHeaders": [{"name": "Host", "value": "shop.example"}],
    }
    assert value["livenessProbe"]["exec"] == {"command": ["probe"]}
    assert "startupProbe" not in yaml.safe_load(container("x", RunHints(), Probes((), plain)))


def test_a_slow_start_is_waited_for() -> None:
    value = yaml.safe_load(probes("x", Healthcheck(("probe",), start_period=300)))
    assert value["startupProbe"]["periodSeconds"] * value["startupProbe"]["failureThreshold"] == 300


READY = Probes(("probe",), HttpGet("/ready", 80), ("probe",))


@pytest.mark.parametrize(
    "env, delay, grace",
    [
        ({}, 12, 12 + 10 + 5),
        ({"SHUTDOWN_TIMEOUT": "60"}, 12, 12 + 60 + 5),
        ({"DRAIN_DELAY": "1.5"}, None, 2 + 10 + 5),
        ({"DRAIN_DELAY": "soon"}, 12, 12 + 10 + 5),
    ],
)
def test_a_container_listens_until_kubernetes_sees_that_it_is_not_ready(
    env: dict[str, str], delay: int | None, grace: int
) -> None:
    text = container("x", RunHints(), READY, env)
    value = yaml.safe_load(text)
    assert value.get("env") == (delay and [{"name": "DRAIN_DELAY", "value": str(delay)}])
    assert pod_of(text) == {"terminationGracePeriodSeconds": grace}
    readiness = value["readinessProbe"]
    seen = readiness["periodSeconds"] * readiness["failureThreshold"] + readiness["timeoutSeconds"]
    assert delay in (None, seen)


def test_what_is_not_asked_whether_it_is_ready_is_stopped_as_kubernetes_does() -> None:
    text = probes("x", Healthcheck(("probe",)))
    assert "terminationGracePeriodSeconds" not in text
    assert "DRAIN_DELAY" not in text


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "yes",
        "1",
        "a: b",
        "#no",
        '"',
        "\\",
        "\n\t",
        "ü",
        "\u2028",
        "\x7f\x85",
        "🐍",
        "- x",
        "{}",
    ],
)
def test_any_argument_arrives_as_it_is(argument: str) -> None:
    value = yaml.safe_load(probes("src:app", Healthcheck(("probe", argument))))
    assert value["livenessProbe"]["exec"]["command"] == ["probe", argument]


def test_kubernetes_counts_whole_seconds() -> None:
    value = yaml.safe_load(probes("x", Healthcheck(("probe",), interval=0.2, timeout=1.2)))
    assert value["readinessProbe"]["periodSeconds"] == 1
    assert value["readinessProbe"]["timeoutSeconds"] == 2


def test_the_target_cannot_break_out_of_its_comment() -> None:
    value = yaml.safe_load(probes("x\nevil: 1", Healthcheck(("probe",))))
    assert "evil" not in value
