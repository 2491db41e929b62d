"""Writes an image's healthcheck as the probes of a Kubernetes container."""

from __future__ import annotations

import json
import math
from typing import Sequence

from inseam.formats.oci.config import Healthcheck

PROBES = "probes.yaml"

STARTUP_SECONDS = 60  # after which a container that never got healthy is restarted


def probes(target: str, healthcheck: Healthcheck) -> str:
    """The YAML text of startup, readiness and liveness probes, in exec form.

    They are fields of a container of a Pod (Kubernetes, "Configure Liveness, Readiness and
    Startup Probes"). Kubernetes starts no other probe before the startup probe has succeeded, so
    that one may run every second.
    """
    period = max(1, round(healthcheck.interval))
    timeout = max(1, math.ceil(healthcheck.timeout))
    return (
        f"# Probes of {_comment(target)}, for its container in a Pod's spec.\n"
        + _probe("startupProbe", healthcheck.command, 1, timeout, STARTUP_SECONDS)
        + _probe("readinessProbe", healthcheck.command, period, timeout, healthcheck.retries)
        + _probe("livenessProbe", healthcheck.command, period, timeout, healthcheck.retries)
    )


def _probe(name: str, command: Sequence[str], period: int, timeout: int, failures: int) -> str:
    return (
        f"{name}:\n"
        "  exec:\n"
        f"    command: [{', '.join(map(_scalar, command))}]\n"
        f"  periodSeconds: {period}\n"
        f"  timeoutSeconds: {timeout}\n"
        f"  failureThreshold: {failures}\n"
    )


def _scalar(text: str) -> str:
    """A double-quoted scalar (YAML 1.2.2, 7.3.1): JSON's form, but for what needs two of its \\u.

    JSON writes a character above U+FFFF as two escapes, YAML as one of eight digits.
    """
    return "".join(
        json.dumps(character)[1:-1] if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
        for character in text
    ).join('""')


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
