"""A running container of an image under test."""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from inseam.testing import process, reaper, stats
from inseam.testing.completed import Completed, EngineError
from inseam.testing.engine import Engine
from inseam.testing.image import Image, ImageNotFound
from inseam.testing.options import RunOptions
from inseam.testing.process import Process
from inseam.testing.stats import Stats

_POLL = 0.1  # seconds
_PORT = re.compile(r"(\d+)/tcp")

running: list[Container] = []


class NotHealthy(AssertionError):
    """The container ended, or did not become healthy in time; the message has its log."""


@dataclass(frozen=True)
class Container:
    """A container; `started` creates and removes it."""

    engine: Engine
    name: str
    image: Image
    ports: dict[int, int]
    """The port on 127.0.0.1 for each published TCP port of the container."""

    @property
    def base_url(self) -> str:
        """URL of the only published port, such as `http://127.0.0.1:49153`, without a slash."""
        if len(self.ports) != 1:
            raise ValueError(f"{self.image} publishes the ports {list(self.ports)}: use url(port)")
        return self.url(*self.ports)

    def url(self, port: int) -> str:
        """URL of a port of the container."""
        return f"http://127.0.0.1:{self.ports[port]}"

    def inspect(self) -> dict[str, Any]:
        """The engine's description of the container."""
        return self.engine.inspect("container", self.name)

    @property
    def health(self) -> str:
        """The engine's status: "starting", "healthy", "unhealthy", or "none" without a probe."""
        if self.engine.podman:  # podman leaves periodic probing to systemd
            probe = self.engine.run("healthcheck", "run", self.name)
            return "healthy" if probe.exit_code == 0 else "starting"
        status = "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}"
        return self.engine.output("container", "inspect", f"--format={status}", self.name)

    def wait_healthy(self, timeout: float = 60) -> None:
        """Returns when the image's own health probe has succeeded; raises NotHealthy.

        timeout: in seconds.
        """
        end = time.monotonic() + timeout
        while (health := self.health) != "healthy":
            if health == "none":
                raise NotHealthy(f"{self.image} has no HEALTHCHECK: use wait_answers")
            self._wait_a_little(end, f"is {health}, not healthy, after {timeout:g} s")

    def wait_answers(self, path: str = "/", timeout: float = 60, port: int | None = None) -> int:
        """Returns the status of the first answer to a GET of `path`; raises NotHealthy."""
        url = (self.base_url if port is None else self.url(port)) + path
        end = time.monotonic() + timeout
        while True:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code
            except OSError as error:  # nothing listens yet
                self._wait_a_little(end, f"does not answer after {timeout:g} s: {error}")

    def _wait_a_little(self, end: float, what: str) -> None:
        state = self.inspect()["State"]
        if not state["Running"]:
            raise NotHealthy(f"{self.image} ended with {state['ExitCode']}:\n{self.logs()}")
        if time.monotonic() > end:
            probes = (state.get("Health") or {}).get("Log") or []
            said = probes[-1].get("Output", "").strip() if probes else ""
            said = f"\nThe probe says: {said}" if said else ""
            raise NotHealthy(f"{self.image} {what}{said}\n{self.logs()}")
        time.sleep(_POLL)

    def logs(self) -> str:
        """Its output to stdout, followed by its output to stderr."""
        done = self.engine.run("logs", self.name).checked()
        return done.stdout + done.stderr

    def exec(self, *argv: str, user: str | None = None, timeout: float = 60) -> Completed:
        """Runs a command in the container, without a shell, whatever its exit code."""
        options = [] if user is None else [f"--user={user}"]
        return self.engine.run("exec", *options, self.name, *argv, timeout=timeout)

    def processes(self) -> tuple[Process, ...]:
        """Its processes; the first is PID 1 in the container."""
        columns = process.PODMAN if self.engine.podman else process.PS
        return process.parse(self.engine.output("top", self.name, *columns))

    def stats(self) -> Stats:
        """Its current resource usage; this takes the engine about two seconds."""
        line = self.engine.output("stats", "--no-stream", f"--format={stats.FORMAT}", self.name)
        return stats.parse(line)

    def changes(self) -> tuple[str, ...]:
        """Paths that were added, changed or deleted in its root filesystem, such as `C /tmp`."""
        return tuple(self.engine.output("diff", self.name).splitlines())

    def signal(self, name: str) -> None:
        """Sends a signal, such as "SIGTERM", to PID 1."""
        self.engine.output("kill", f"--signal={name}", self.name)

    def wait(self, timeout: float = 60) -> int:
        """Waits until it ends and returns the exit code.

        timeout: seconds after which TimeoutError is raised.
        """
        try:
            return int(self.engine.output("wait", self.name, timeout=timeout))
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.image} still runs after {timeout:g} s") from None

    def stop(self, timeout: int = 10) -> int:
        """Sends the image's stop signal and returns the exit code.

        timeout: seconds after which it is killed, and the exit code is 137.
        """
        self.engine.output("stop", f"--time={timeout}", self.name, timeout=timeout + 60)
        return self.wait()

    def assert_stops(self, exit_code: int = 0, timeout: int = 10) -> None:
        """Stops it and asserts the exit code; a failure shows the log."""
        code = self.stop(timeout)
        hint = f" (it was killed after {timeout} s)" if code == 137 else ""
        assert code == exit_code, f"{self.image} ended with {code}{hint}:\n{self.logs()}"


@contextmanager
def started(engine: Engine, image: Image, options: RunOptions | None = None) -> Iterator[Container]:
    """A container that runs until the block ends, and is then removed, whatever happens.

    Raises ImageNotFound if the engine does not have the image, EngineError if it cannot start.
    """
    options = options or RunOptions()
    looked = engine.run("image", "inspect", image.reference)
    if looked.exit_code != 0:
        raise ImageNotFound(
            f"{engine.client} has no image {image} ({image.reference}): {looked.stderr.strip()}."
            " Package it again, or choose the engine that it was built with by"
            " INSEAM_CONTAINER_ENGINE"
        )
    ports = options.ports
    if ports is None and options.network in ("host", "none"):
        ports = ()
    elif ports is None:
        exposed = engine.inspect("image", image.reference)["Config"].get("ExposedPorts") or {}
        ports = tuple(int(match[1]) for match in map(_PORT.fullmatch, exposed) if match)
    name = "inseam-test-" + os.urandom(6).hex()
    label = reaper.watch(engine.client)
    try:
        engine.output(
            "run",
            "--detach",
            f"--name={name}",
            f"--label={label}",
            *(f"--publish=127.0.0.1::{port}" for port in ports if options.network != "host"),
            *options.arguments(),
            image.reference,
            *options.args,
        )
        own = options.network == "host"
        places = {port: port for port in ports} if own else _published(engine, name)
        container = Container(engine, name, image, places)
        running.append(container)
        try:
            yield container
        finally:
            running.remove(container)
    finally:
        removed = engine.run("rm", "--force", "--volumes", name)
        if removed.exit_code != 0 and "no such container" not in removed.stderr.lower():
            raise EngineError(f"cannot remove {name}: {removed.stderr.strip()}")


def _published(engine: Engine, name: str) -> dict[int, int]:
    found = engine.inspect("container", name)["NetworkSettings"].get("Ports") or {}
    return {
        int(match[1]): int(bindings[0]["HostPort"])
        for match, bindings in ((_PORT.fullmatch(port), found[port]) for port in found)
        if match and bindings
    }
