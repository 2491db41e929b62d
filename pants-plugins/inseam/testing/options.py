"""How a container runs: the options that tests of services need, for Docker and Podman alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RunOptions:
    """Options of `docker run`; the defaults are the engine's, but for `health_interval`.

    ports: container ports to publish on a free port of 127.0.0.1; None for all that the image
    exposes. memory: limit in bytes. args: replace the image's CMD. network: like "none"; with
    "host", `ports` are those that the service is told to listen on.
    health_interval: seconds between two probes, instead of the image's own, which make tests wait;
    None for those. extra: further arguments of `docker run`, as they are.
    """

    read_only: bool = False
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    init: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] | None = None
    memory: int | None = None
    user: str | None = None
    network: str | None = None
    entrypoint: str | None = None
    args: tuple[str, ...] = ()
    health_interval: float | None = 1.0
    extra: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """The options as `docker run` takes them, without ports and `args`."""
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
