"""Writes how a container of an image runs, in the words of Kubernetes."""

from __future__ import annotations

import json
import math
import re
from typing import Sequence

from inseam.formats.numbers import whole_number
from inseam.formats.oci.config import Healthcheck
from inseam.formats.oci.documents import ImageDocument
from inseam.formats.oci.metadata import RunHints

CONTAINER = "container.yaml"
MEDIA_TYPE = "application/yaml"  # RFC 9512

STARTUP_SECONDS = 60  # after which a container that never got healthy is restarted


def container_document(
    target: str, hints: RunHints, healthcheck: Healthcheck | None
) -> ImageDocument:
    """`container.yaml`, as a document of an image."""
    content = container(target, hints, healthcheck).encode()
    return ImageDocument(MEDIA_TYPE, content, CONTAINER, describes_base=False)


def container(target: str, hints: RunHints, healthcheck: Healthcheck | None) -> str:
    """The YAML text of a container in a Pod, but for its name, image and resources.

    These are fields of an entry in the `containers` of a Pod's spec (Kubernetes API, core/v1,
    Container); what belongs to the Pod itself is in a comment.
    """
    mounts: dict[str, str] = {}
    for path in hints.writable:
        name = re.sub("[^a-z0-9]+", "-", path.lower()).strip("-")[:50] or "volume"
        mounts[name if name not in mounts else f"{name}-{len(mounts)}"] = path
    parts = (
        f"# How {_comment(target)} runs: fields of its container in a Pod's spec.\n",
        "# Name it, and add its image and resources.\n",
        _mounts(mounts),
        _ports(hints.ports),
        _security(hints.user),
        _probes(healthcheck) if healthcheck else "",
    )
    return "".join(parts)


def _mounts(mounts: dict[str, str]) -> str:
    volumes = (f"#   - {{name: {_scalar(name)}, emptyDir: {{}}}}\n" for name in mounts)
    lines = (
        f"  - {{name: {_scalar(name)}, mountPath: {_scalar(path)}}}\n"
        for name, path in mounts.items()
    )
    return "".join(
        [
            "# `volumes` of the Pod, or claims of storage that lasts:\n",
            *volumes,
            "volumeMounts:\n",
            *lines,
        ]
    )


def _ports(ports: Sequence[str]) -> str:
    lines = []
    for port in ports:
        number, _, protocol = port.partition("/")
        if not number.isdigit():
            continue  # a base's range, which Kubernetes does not know
        lines.append(f"  - {{containerPort: {number}, protocol: {(protocol or 'tcp').upper()}}}\n")
    return "".join(["ports:\n", *lines]) if lines else ""


def _security(user: str) -> str:
    uid, _, gid = user.partition(":")
    lines = ["allowPrivilegeEscalation: false", "capabilities: {drop: [ALL]}"]
    lines.append("readOnlyRootFilesystem: true")
    number, group = whole_number(uid), whole_number(gid)
    if number is not None:
        # On OpenShift, leave both out: it chooses a user, in group 0.
        lines.append(f"runAsNonRoot: {str(number > 0).lower()}")
        lines.append(f"runAsUser: {number}")
    if group is not None:
        lines.append(f"runAsGroup: {group}")
    return "securityContext:\n" + "".join(f"  {line}\n" for line in lines)


def _probes(healthcheck: Healthcheck) -> str:
    """Startup, readiness and liveness probes, in exec form. Kubernetes starts no other probe before
    the startup probe has succeeded, so that one may run every second."""
    period = max(1, round(healthcheck.interval))
    timeout = max(1, math.ceil(healthcheck.timeout))
    return (
        _probe("startupProbe", healthcheck.command, 1, timeout, STARTUP_SECONDS)
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
