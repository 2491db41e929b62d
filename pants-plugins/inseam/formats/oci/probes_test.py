from __future__ import annotations

import pytest

from inseam.formats.oci.config import Healthcheck
from inseam.formats.oci.probes import probes

yaml = pytest.importorskip("yaml", reason="PyYAML reads the probes")


def test_the_three_probes_run_the_healthcheck() -> None:
    command = ["/opt/venv/bin/healthcheck", "--port", "9"]
    value = yaml.safe_load(probes("src:app", Healthcheck(tuple(command), interval=15, retries=4)))
    assert value == {
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
    assert value.keys() == {"startupProbe", "readinessProbe", "livenessProbe"}
