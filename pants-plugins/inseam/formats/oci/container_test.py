from __future__ import annotations

import pytest

from inseam.formats.oci.config import Healthcheck
from inseam.formats.oci.container import container
from inseam.formats.oci.metadata import RunHints

yaml = pytest.importorskip("yaml", reason="PyYAML reads the file")


def probes(target: str, healthcheck: Healthcheck) -> str:
    return container(target, RunHints(), healthcheck)


def test_all_that_a_cluster_has_to_know_is_there() -> None:
    hints = RunHints(
        "65532:0", ("8000/tcp", "53/udp"), "SIGTERM", ("/data",), ("/data", "/tmp", "/var/lib/Shop")
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
            "runAsGroup": 0,
        },
    }
    pod = "".join(line[2:] for line in text.splitlines(True) if line.startswith("#   - "))
    assert yaml.safe_load(pod) == [
        {"name": name, "emptyDir": {}} for name in ("data", "tmp", "var-lib-shop")
    ]


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
            "periodSeconds": 15,
            "timeoutSeconds": 2,
            "failureThreshold": 4,
        },
        "livenessProbe": {
            "exec": {"command": command},
            "periodSeconds": 15,
            "timeoutSeconds": 2,
            "failureThreshold": 4,
        },
    }


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
