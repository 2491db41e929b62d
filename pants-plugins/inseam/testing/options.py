"""How a container runs: the options that tests of services need, for Docker and Podman alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RunOptions:
    """Options of `docker run`; the defaults are the engine's, except for `health_interval`."""

    read_only: bool = False
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    init: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] | None = None
    """Container ports to publish on free ports of 127.0.0.1; None for those the image exposes."""
    memory: int | None = None
    """Memory limit in bytes."""
    user: str | None = None
    network: str | None = None
    """Such as "none". With "host", the service must be configured to listen on `ports`."""
    entrypoint: str | None = None
    args: tuple[str, ...] = ()
    """Arguments that replace the image's CMD."""
    health_interval: float | None = 1.0
    """Seconds between two probes, because the image's own interval would make tests wait; None for
    the image's interval.
    """
    extra: tuple[str, ...] = ()
    """Further arguments of `docker run`, unchanged."""

    def arguments(self) -> list[str]:
        """The options as arguments of `docker run`, without ports and `args`."""
        given = [
            *(["--read-only"] if self.read_only else []),
            *(f"--cap-drop={capability}" for capability in self.cap_drop),
            *(["--security-opt=no-new-privileges"] if self.no_new_privileges else []),
            *(["--init"] if self.init else []),
            *(f"--env={name}={value}" for name, value in self.env.items()),
        ]
        for option, value in (
            ("memory", self.memory),
            ("user", self.user),
            ("network", self.network),
            ("entrypoint", self.entrypoint),
        ):
            if value is not None:
                given.append(f"--{option}={value}")
        if self.health_interval is not None:
            given.append(f"--health-interval={int(self.health_interval * 1000)}ms")
        return [*given, *self.extra]


HARDENED = RunOptions(read_only=True, cap_drop=("ALL",), no_new_privileges=True)
