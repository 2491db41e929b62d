"""The container engine of this machine, used through its command-line client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inseam.testing.completed import Completed

ENGINES = ("docker", "podman")


class NoEngine(Exception):
    """No container engine is usable; the message says why and what to do."""


@dataclass(frozen=True)
class Engine:
    """A client whose engine responds."""

    client: str
    """Path of the client."""
    podman: bool = False
    """Whether it is Podman, which may also be installed as `docker`."""

    def run(self, *arguments: str, timeout: float = 120) -> Completed:
        """Runs the client, whatever its exit code.

        timeout: seconds after which subprocess.TimeoutExpired is raised.
        """
        argv = (self.client, *arguments)
        done = subprocess.run(
            argv,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        return Completed(argv, done.returncode, done.stdout, done.stderr)

    def output(self, *arguments: str, timeout: float = 120) -> str:
        """The client's output, without the final newline; raises EngineError."""
        return self.run(*arguments, timeout=timeout).checked().stdout.rstrip("\n")

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """The engine's description of an "image" or a "container"; raises EngineError."""
        (found,) = json.loads(self.output(kind, "inspect", name))
        return dict(found)


def find_engine(environment: Mapping[str, str] = os.environ) -> Engine:
    """Docker or Podman, the first that responds; raises NoEngine.

    INSEAM_CONTAINER_ENGINE names the one to use, or the path of its client; INSEAM_DOCKER=off says
    that there is none.
    """
    if environment.get("INSEAM_DOCKER") == "off":
        raise NoEngine("INSEAM_DOCKER=off")
    wanted = environment.get("INSEAM_CONTAINER_ENGINE")
    reasons = []
    for name in [wanted] if wanted else ENGINES:
        client = shutil.which(name, path=environment.get("PATH"))
        if client is None:
            reasons.append(f"{name} is not on PATH")
            continue
        try:
            kind = Engine(client).output("--version", timeout=30)
            Engine(client).output("version", timeout=30)
        except Exception as error:  # whatever the reason, this client is not usable
            reasons.append(str(error).strip().replace("\n", " "))
            continue
        return Engine(client, kind.startswith("podman"))
    raise NoEngine(
        f"no container engine: {'; '.join(reasons)}. Start or install Docker or Podman; if another"
        " client is to be used, set INSEAM_CONTAINER_ENGINE to its path"
    )
