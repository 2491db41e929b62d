"""A checkout whose images the tests of Pants' goals share."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterator
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from nested.checkout import Checkout, checkout


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout whose Docker configuration has no credentials, with a daemon of its own."""
    root = tmp_path_factory.mktemp("goals")
    copied = checkout(root / "repository", {"DOCKER_CONFIG": str(root / "docker")})
    running = replace(copied, daemon=True)
    yield running
    running.remove()


def image(repository: Checkout, service: str = "catalog") -> dict[str, Any]:
    """`image.json` of a service, as it lies in dist."""
    path = repository.root / f"dist/src.python.{service}/app.oci/image.json"
    metadata: dict[str, Any] = json.loads(path.read_text())
    return metadata


@dataclass(frozen=True)
class Registry:
    """A registry on a loopback port."""

    address: str

    @property
    def option(self) -> str:
        """The option that makes it the default registry of Pants."""
        return f"--docker-registries={{'here': {{'address': '{self.address}', 'default': True}}}}"

    def digest(self, reference: str) -> str | None:
        """The digest that `repository:tag` points to, None if there is none."""
        name, _, tag = reference.rpartition(":")
        kinds = ", ".join(f"application/vnd.oci.image.{k}.v1+json" for k in ("manifest", "index"))
        request = Request(
            f"http://{self.address}/v2/{name}/manifests/{tag}",
            method="HEAD",
            headers={"Accept": kinds},
        )
        try:
            with urlopen(request, timeout=10) as response:
                return str(response.headers["Docker-Content-Digest"])
        except URLError:
            return None


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An empty registry, ended with the test."""
    if shutil.which("docker-registry") is None or shutil.which("skopeo") is None:
        pytest.skip("needs docker-registry and skopeo (Debian: apt-get install)")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path / 'blobs'}}}}}\n"
        f"http: {{addr: '{address}'}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with closing(socket.socket()) as probe:
                host, port = address.split(":")
                if probe.connect_ex((host, int(port))) == 0:
                    break
            time.sleep(0.1)
        yield Registry(address)
    finally:
        process.kill()
        process.wait()
