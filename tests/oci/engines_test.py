"""Docker and podman load images, run them, and honour their healthcheck."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from oci import tiny
from oci.programs import call, run_program, succeed
from oci.schema_test import make_index

NAME = f"inseam-oci-lab-test-{os.getpid()}"
HEALTHY_WITHIN = 20  # seconds


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A name of an image that no other test uses; its tags are removed at the end."""
    name = f"{NAME}-{abs(hash(request.node.name)) % 10**6}"
    yield name
    for engine in ("docker", "podman"):
        for tag in ("1", "2"):
            argv = [engine, "rmi", "--force", f"{name}:{tag}"]
            if shutil.which(engine):
                subprocess.run(argv, check=False, capture_output=True)


def inspect(engine: str, image: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(call([engine, "image", "inspect", image]))
    return found[0]


def load(folder: Path, engine: str, *options: str) -> subprocess.CompletedProcess[str]:
    return run_program("load", f"--client={engine}", *options, "dist/app", cwd=folder)


def healthcheck(engine: str, image: str) -> Any:
    found = inspect(engine, image)
    return found["Config"].get("Healthcheck") or found.get("Healthcheck")


@pytest.mark.parametrize("format", ["gzip", "zstd"])
def test_docker_runs_a_loaded_image_until_it_is_healthy(
    folder: Path, docker: str, name: str, format: str
) -> None:
    layout = tiny.build(folder, references=[f"{name}:1"], format=format)
    result = load(folder, docker)
    if format == "zstd" and int(_version(docker).split(".")[0]) < 23:
        assert "Docker reads zstd layers since 23.0" in result.stderr
        return
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{tiny.metadata(layout).config_digest}\n"
    assert healthcheck(docker, f"{name}:1")["Test"] == ["CMD", "/bin/true"]
    container = call([docker, "run", "--detach", "--read-only", f"{name}:1"]).strip()
    try:
        deadline = time.monotonic() + HEALTHY_WITHIN
        status = ""
        while status != "healthy" and time.monotonic() < deadline:
            time.sleep(0.2)
            template = "{{.State.Health.Status}}"
            status = call([docker, "inspect", "--format", template, container]).strip()
        assert status == "healthy"
    finally:
        call([docker, "rm", "--force", container])


def _version(docker: str) -> str:
    return call([docker, "version", "--format", "{{.Server.Version}}"])


def test_docker_gets_only_the_layers_that_it_lacks(folder: Path, docker: str, name: str) -> None:
    layout = tiny.build(folder, references=[f"{name}:1"], large=100_000)
    assert load(folder, docker).returncode == 0
    before = tiny.metadata(layout)
    edit(folder, f"{name}:2")
    after = tiny.metadata(layout)
    result = load(folder, docker)
    assert f"had to get {after.layers[-1].descriptor.size} bytes" in result.stderr
    assert inspect(docker, f"{name}:2")["RootFS"]["Layers"] == [
        layer.diff_id for layer in after.layers
    ]
    assert inspect(docker, f"{name}:1")["Id"] == before.config_digest


def test_docker_is_not_sent_an_image_that_it_has(folder: Path, docker: str, name: str) -> None:
    layout = tiny.build(folder, references=[f"{name}:1"])
    assert load(folder, docker).returncode == 0
    assert "had to get 0 bytes" in load(folder, docker).stderr
    tiny.rename(layout, f"{name}:2")
    assert "had to get 0 bytes" in load(folder, docker).stderr
    assert inspect(docker, f"{name}:2")["Id"] == inspect(docker, f"{name}:1")["Id"]


def edit(folder: Path, reference: str) -> None:
    """Changes the app layer."""
    tiny.write_layer(folder / "app.tar", {"app/x": os.urandom(500)})
    succeed("compress", "--tar=app.tar", "--out=app2", cwd=folder)
    tiny.put_on(folder, "base", "image2", layers=("deps", "app2"), references=[reference])
    succeed("export", "--store=dist/oci", "--layout=dist/app", "image2", "app2", cwd=folder)


@pytest.mark.parametrize("format", ["gzip", "zstd"])
def test_podman_keeps_the_healthcheck(folder: Path, podman: str, name: str, format: str) -> None:
    layout = tiny.build(folder, references=[f"{name}:1"], format=format)
    result = load(folder, podman)
    assert result.returncode == 0, result.stderr
    found = inspect(podman, f"{name}:1")
    assert f"sha256:{found['Id']}" == tiny.metadata(layout).config_digest
    assert healthcheck(podman, f"{name}:1")["Test"] == ["CMD", "/bin/true"]
    assert healthcheck(podman, f"{name}:1")["Interval"] == 1_000_000_000
    assert load(folder, podman).returncode == 0


def test_podman_runs_the_healthcheck(folder: Path, podman: str, name: str) -> None:
    tiny.build(folder, references=[f"{name}:1"])
    assert load(folder, podman).returncode == 0
    limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"]
    options = [*limits, "--network=none", "--detach", f"--name={name}"]
    run = [podman, *_runtime(), "run", *options, f"{name}:1"]
    started = subprocess.run(run, check=False, capture_output=True, text=True)
    try:
        if started.returncode != 0:
            pytest.skip(f"podman cannot run containers here: {started.stderr.strip()[-200:]}")
        call([podman, "healthcheck", "run", name])
    finally:
        subprocess.run(
            [podman, "rm", "--force", "--time=0", name], check=False, capture_output=True
        )


def _runtime() -> list[str]:
    """runc, if it is there: crun does not work where cgroups v1 and v2 are mixed."""
    return ["--runtime=runc"] if shutil.which("runc") else []


def test_an_engine_gets_its_platform_s_image_of_an_index(
    folder: Path, docker: str, name: str
) -> None:
    make_index(folder, references=[f"{name}:1"])
    result = run_program("load", "--client=docker", "dist/index", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert inspect(docker, f"{name}:1")["Architecture"] == tiny.ARCHITECTURE
