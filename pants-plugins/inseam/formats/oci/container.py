"""Writes how a container of an image runs, as fields of Kubernetes' Container."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Union

from inseam.formats.numbers import whole_number
from inseam.formats.oci.config import Healthcheck
from inseam.formats.oci.documents import ImageDocument
from inseam.formats.oci.metadata import RunHints

CONTAINER = "container.yaml"
MEDIA_TYPE = "application/yaml"  # RFC 9512

STARTUP_SECONDS = 60  # seconds after which a container that never became healthy is restarted
# At most so many seconds between two readiness probes, and so many failures in a row.
READINESS_SECONDS, READINESS_FAILURES = 5, 2
# Seconds that requests in flight get unless SHUTDOWN_TIMEOUT is set, and that the process then
# takes to end.
SHUTDOWN_SECONDS, END_SECONDS = 10, 5


class HttpGet(NamedTuple):
    """A GET request by Kubernetes to the container's address."""

    path: str
    port: int
    scheme: str = "http"
    host: str = ""
    """The Host header; "" for the address."""


# A request, or a command in the container; () for neither.
Action = Union[HttpGet, "tuple[str, ...]"]


class Probes(NamedTuple):
    """The three probes of a container in Kubernetes."""

    startup: Action = ()
    readiness: Action = ()
    liveness: Action = ()
    times: Healthcheck = Healthcheck(())
    """Interval, timeout, start period and retries; its command is not used."""

    @property
    def unready_after(self) -> int:
        """Seconds until Kubernetes knows that a container is no longer ready."""
        return self.readiness_period * self.readiness_failures + self.timeout

    @property
    def timeout(self) -> int:
        """Seconds that an answer may take."""
        return max(1, math.ceil(self.times.timeout))

    @property
    def period(self) -> int:
        """Seconds between two liveness probes."""
        return max(1, round(self.times.interval))

    @property
    def readiness_period(self) -> int:
        """Seconds between two readiness probes."""
        return min(self.period, READINESS_SECONDS)

    @property
    def readiness_failures(self) -> int:
        """Failures in a row after which it receives no more requests."""
        return min(self.times.retries, READINESS_FAILURES)


class _Stopping(NamedTuple):
    """How a container is stopped."""

    drain_delay: int | None
    """Seconds for the variable DRAIN_DELAY, if the image does not set it."""
    grace: int
    """Seconds after which it is killed."""


def container_document(
    target: str, hints: RunHints, probes: Probes | None, env: Mapping[str, str]
) -> ImageDocument:
    """`container.yaml`, as a document of an image."""
    content = container(target, hints, probes, env).encode()
    return ImageDocument(MEDIA_TYPE, content, CONTAINER, describes_base=False)


def container(
    target: str, hints: RunHints, probes: Probes | None, env: Mapping[str, str] = {}
) -> str:
    """The YAML text of a container in a Pod, without its name, image and resources.

    These are fields of an entry in the `containers` of a Pod's spec (Kubernetes API, core/v1,
    Container); what belongs to the Pod itself is in a comment.

    env: the environment of the image.
    """
    mounts: dict[str, str] = {}
    for path in hints.writable:
        name = re.sub("[^a-z0-9]+", "-", path.lower()).strip("-")[:50] or "volume"
        mounts[name if name not in mounts else f"{name}-{len(mounts)}"] = path
    stopping = _stopping(probes, env)
    parts = (
        f"# How {_comment(target)} runs: fields of its container in a Pod's spec.\n",
        "# Name it, and add its image and resources.\n",
        _pod(mounts, hints.user, stopping),
        _mounts(mounts),
        _ports(hints.ports),
        _environment(stopping),
        _security(hints.user),
        _probes(probes) if probes else "",
    )
    return "".join(parts)


def _stopping(probes: Probes | None, env: Mapping[str, str]) -> _Stopping | None:
    """How a container is stopped so that it loses no request; None to leave it to Kubernetes.

    A container that is no longer ready keeps listening for DRAIN_DELAY seconds, in which Kubernetes
    and load balancers notice it; then requests in flight get SHUTDOWN_TIMEOUT seconds.
    """
    delay = _seconds(env.get("DRAIN_DELAY"))
    is_ready_by_http = probes and (
        isinstance(probes.readiness, HttpGet) or "--path" in probes.readiness
    )
    noticed = probes.unready_after if probes and is_ready_by_http else None
    if delay is None and noticed is None:
        return None
    shutdown = _seconds(env.get("SHUTDOWN_TIMEOUT"))
    grace = (delay if delay is not None else noticed or 0) + END_SECONDS
    grace += SHUTDOWN_SECONDS if shutdown is None else shutdown
    return _Stopping(noticed if delay is None else None, grace)


def _seconds(text: str | None) -> int | None:
    """Whole seconds, rounded up; None for a text that is not a number."""
    try:
        return math.ceil(float(text or ""))
    except (ValueError, OverflowError):
        return None


def _pod(mounts: Mapping[str, str], user: str, stopping: _Stopping | None) -> str:
    """Fields of the Pod, in a comment."""
    uid, _, gid = user.partition(":")
    group = whole_number(gid or uid)
    lines = ["# The Pod has, besides:\n"]
    if stopping:
        lines.append(f"#   terminationGracePeriodSeconds: {stopping.grace}\n")
    if group:
        lines.append(f"#   securityContext: {{fsGroup: {group}}}\n")
    if mounts:
        lines.append("#   volumes: # or claims of storage that lasts\n")
        lines += [f"#   - {{name: {_scalar(name)}, emptyDir: {{}}}}\n" for name in mounts]
    return "".join(lines) if len(lines) > 1 else ""


def _mounts(mounts: Mapping[str, str]) -> str:
    lines = (
        f"  - {{name: {_scalar(name)}, mountPath: {_scalar(path)}}}\n"
        for name, path in mounts.items()
    )
    return "".join(["volumeMounts:\n", *lines]) if mounts else ""


def _environment(stopping: _Stopping | None) -> str:
    if stopping is None or stopping.drain_delay is None:
        return ""
    return f'env:\n  - {{name: "DRAIN_DELAY", value: "{stopping.drain_delay}"}}\n'


def _ports(ports: Sequence[str]) -> str:
    lines = []
    for port in ports:
        number, _, protocol = port.partition("/")
        if not number.isdigit():
            continue  # a range of ports in a base, which Kubernetes does not support
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


def _probes(probes: Probes) -> str:
    """Startup, readiness and liveness probes. Kubernetes starts no other probe before the startup
    probe has succeeded, so that one may run every second."""
    times = probes.times
    startup = max(STARTUP_SECONDS, math.ceil(times.start_period))
    readiness = (probes.readiness_period, probes.timeout, probes.readiness_failures)
    return (
        _probe("startupProbe", probes.startup, 1, probes.timeout, startup)
        + _probe("readinessProbe", probes.readiness, *readiness)
        + _probe("livenessProbe", probes.liveness, probes.period, probes.timeout, times.retries)
    )


def _probe(name: str, action: Action, period: int, timeout: int, failures: int) -> str:
    if not action:
        return ""
    return (
        f"{name}:\n"
        f"{_action(action)}"
        f"  periodSeconds: {period}\n"
        f"  timeoutSeconds: {timeout}\n"
        f"  failureThreshold: {failures}\n"
    )


def _action(action: Action) -> str:
    if not isinstance(action, HttpGet):
        return f"  exec:\n    command: [{', '.join(map(_scalar, action))}]\n"
    lines = [f"path: {_scalar(action.path)}", f"port: {action.port}"]
    if action.scheme != "http":
        lines.append(f"scheme: {action.scheme.upper()}")
    if action.host:
        lines.append(f'httpHeaders: [{{name: "Host", value: {_scalar(action.host)}}}]')
    return "  httpGet:\n" + "".join(f"    {line}\n" for line in lines)


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
