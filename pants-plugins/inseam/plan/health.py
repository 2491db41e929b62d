"""Reads how containers are probed, by their engine and by Kubernetes."""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Sequence, Tuple

from inseam.formats.oci.config import Healthcheck
from inseam.formats.oci.container import Action, HttpGet, Probes
from inseam.formats.python.entry_point import HttpCheck
from inseam.plan.container import PORT

# The characters of a path and a query (RFC 3986) that need no quoting in a script or a shell.
_PATH = re.compile(r"/[A-Za-z0-9/._~!*+,;=:@?&%-]*")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9a-f:.]+\](:[0-9]{1,5})?")
_LOOPBACK = re.compile(r"127\.|localhost$|::1$")
_LONGEST = 86_400  # seconds


def is_path(value: Any) -> bool:
    """Whether a value is the path of a URL."""
    return isinstance(value, str) and _PATH.fullmatch(value) is not None


def _check_keys(raw: Mapping[str, Any], known: Sequence[str]) -> None:
    unknown = sorted(set(map(str, raw)).difference(known))
    if unknown:
        raise ValueError(f"has the unknown key {unknown[0]!r}. Its keys are {', '.join(known)}")


class HealthOptions(NamedTuple):
    """The times of a health check, in seconds, and the request of one over HTTP."""

    interval: float = Healthcheck(()).interval
    timeout: float = Healthcheck(()).timeout
    start_period: float = Healthcheck(()).start_period
    retries: int = Healthcheck(()).retries
    host: str = HttpCheck().host
    """The Host header."""
    scheme: str = HttpCheck().scheme
    method: str = HttpCheck().method
    status: Tuple[int, ...] = HttpCheck().status
    """The status codes that mean healthy; () for 200 to 399."""

    def healthcheck(self, command: Sequence[str]) -> Healthcheck:
        """The health check that runs a command."""
        times = (self.interval, self.timeout, self.start_period, self.retries)
        return Healthcheck(tuple(command), *times)

    @property
    def check(self) -> HttpCheck:
        """The request that the health check sends, and the status codes that it accepts."""
        return HttpCheck(self.host, self.scheme, self.method, self.status, self.timeout)


def parse_health_options(raw: Mapping[str, Any]) -> HealthOptions:
    """Reads what a BUILD file declares; raises ValueError with what is wrong with it."""
    _check_keys(raw, HealthOptions._fields)
    fields = dict(raw)
    status = fields.get("status", ())
    fields["status"] = tuple(status) if isinstance(status, (list, tuple)) else (status,)
    found = HealthOptions(**fields)
    for name, least in {"interval": 0.1, "timeout": 0.1, "start_period": 0, "retries": 1}.items():
        value = getattr(found, name)
        kinds = (int,) if name == "retries" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < _LONGEST:
            what = "a whole number" if name == "retries" else "a number of seconds"
            raise ValueError(f"has {name}={value!r}, which must be {what} from {least}")
    if not isinstance(found.host, str) or not _HOST.fullmatch(found.host):
        raise ValueError(f"has host={found.host!r}, which must be a name such as 'shop.example'")
    for name, choices in {
        "scheme": ("http", "https"),
        "method": ("GET", "HEAD", "OPTIONS", "POST"),
    }.items():
        if getattr(found, name) not in choices:
            raise ValueError(
                f"has {name}={getattr(found, name)!r}, which must be one of {', '.join(choices)}"
            )
    for one in found.status:
        if isinstance(one, bool) or not isinstance(one, int) or not 100 <= one <= 599:
            raise ValueError(f"has status={one!r}, which must be numbers from 100 to 599")
    return found


class DeclaredProbes(NamedTuple):
    """The paths that Kubernetes requests; "" for what the health check does."""

    startup: str = ""
    readiness: str = ""
    liveness: str = ""
    exec: bool = False
    """Whether the health check runs in the container, instead of requests by Kubernetes."""


def parse_probes(raw: Mapping[str, Any]) -> DeclaredProbes:
    """Reads what a BUILD file declares; raises ValueError with what is wrong with it."""
    _check_keys(raw, DeclaredProbes._fields)
    found = DeclaredProbes(**raw)
    for name, path in zip(found._fields, found[:3]):
        if path != "" and not is_path(path):
            raise ValueError(f"has {name}={path!r}, which must be a path such as '/ready'")
    if not isinstance(found.exec, bool):
        raise ValueError(f"has exec={found.exec!r}, which must be True or False")
    return found


def probes_of(
    command: Sequence[str],
    declared: DeclaredProbes,
    options: HealthOptions,
    *,
    env: Mapping[str, str],
    ports: Sequence[str],
) -> Probes | None:
    """The probes of a container; None if it has none.

    command: its health check, () for none. It is run, with `--path` and the path, for requests that
    Kubernetes cannot send itself.
    """
    tcp = [port.partition("/")[0] for port in ports if not port.endswith(("/udp", "/sctp"))]
    port = env.get("PORT") or (tcp[0] if tcp else PORT)
    by_http = (
        not declared.exec
        and options.method == "GET"
        and not options.status
        and port.isdigit()
        and not _LOOPBACK.match(env.get("HOST", ""))
    )

    def action(path: str) -> Action:
        if path and by_http:
            host = options.host if options.host != HttpCheck().host else ""
            return HttpGet(path, int(port), options.scheme, host)
        return (*command, *(("--path", path) if path else ())) if command else ()

    startup, readiness, liveness = map(action, declared[:3])
    if not (startup or readiness or liveness):
        return None
    return Probes(startup, readiness, liveness, options.healthcheck(()))
