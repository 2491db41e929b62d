"""A real registry on a loopback port."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Iterator

MANIFESTS = ", ".join(f"application/vnd.oci.image.{kind}.v1+json" for kind in ("manifest", "index"))
STARTS_WITHIN = 20  # seconds


@dataclass(frozen=True)
class Registry:
    """A registry, by its port; `log` is the file to which it logs requests."""

    port: int
    log: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def request(self, method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with names in lower case, and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={"Accept": MANIFESTS})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, response.read()
        finally:
            connection.close()

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest that a tag points to; None without such a tag."""
        status, headers, _ = self.request("HEAD", f"/v2/{repository}/manifests/{tag}")
        return headers["docker-content-digest"] if status == 200 else None

    def has_blob(self, repository: str, digest: str) -> bool:
        return self.request("HEAD", f"/v2/{repository}/blobs/{digest}")[0] == 200

    def is_complete(self, repository: str, reference: str) -> bool:
        """Whether an image's manifest and everything that it refers to exist."""
        status, _, body = self.request("GET", f"/v2/{repository}/manifests/{reference}")
        if status != 200:
            return False
        manifest: dict[str, Any] = json.loads(body)
        if "manifests" in manifest:
            digests = [entry["digest"] for entry in manifest["manifests"]]
            return all(self.is_complete(repository, digest) for digest in digests)
        blobs = [manifest["config"], *manifest["layers"]]
        return all(self.has_blob(repository, blob["digest"]) for blob in blobs)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(program: str, folder: Path) -> Iterator[Registry]:
    """Runs Debian's docker-registry, which keeps its blobs in the folder."""
    port = free_port()
    config = folder / "registry.json"  # which is YAML too
    storage = {"filesystem": {"rootdirectory": str(folder / "storage")}}
    settings = {"version": 0.1, "storage": storage, "http": {"addr": f"127.0.0.1:{port}"}}
    config.write_text(json.dumps(settings))
    log = folder / "registry.log"
    with log.open("wb") as out:
        process = subprocess.Popen([program, "serve", str(config)], stdout=out, stderr=out)
    try:
        registry = Registry(port, log)
        _wait(registry, process)
        yield registry
    finally:
        process.kill()
        process.wait()


def _wait(registry: Registry, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if registry.request("GET", "/v2/")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the registry does not start: {registry.log.read_text()}")
