"""Builds the Dockerfiles for uv of a generated monorepo, as their users would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import measuring
from measuring import Run

from scale.monorepo import Monorepo, Pin, Service, bumps

UV = "uv==0.13.9"
TOOLS = "inseam-bench/tools:latest"
# The wheels that a Dockerfile may install: for CPython 3.11 on x86-64 with glibc.
_PLATFORM = (
    "--only-binary=:all:",
    "--python-version=3.11",
    "--implementation=cp",
    "--abi=cp311",
    "--abi=abi3",
    "--abi=none",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_17_x86_64",
    "--platform=manylinux2014_x86_64",
)


class Docker:
    """The Docker client that can build with BuildKit."""

    def __init__(self) -> None:
        self.client = _find_client()
        self._env = {"DOCKER_BUILDKIT": "1"}

    def run(self, *args: str, cwd: Path = Path("/")) -> Run:
        return measuring.run([self.client, *args], cwd, self._env)

    def build(self, repo: Monorepo, service: Service) -> Run:
        """Builds the image of one service."""
        file = f"--file={service.name}/Dockerfile"
        name = f"--tag={image_name(service)}"
        return self.run("build", "-q", file, name, ".", cwd=repo.sources)

    def build_all(self, repo: Monorepo, parallel: int) -> float:
        """Builds the images of all services, so many at a time: wall time in seconds."""
        start = time.monotonic()
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(lambda service: self.build(repo, service), repo.services))
        return time.monotonic() - start

    def layers(self, image: str) -> dict[str, int]:
        """Size in bytes of each layer of an image, by diff ID."""
        diff_ids = self.run("image", "inspect", "--format={{json .RootFS.Layers}}", image).output
        history = self.run("history", "--human=false", "--format={{.Size}}\t{{.CreatedBy}}", image)
        steps = [line.split("\t", 1) for line in reversed(history.output.splitlines())]
        # Steps that make no layer have size 0; so has a layer that adds nothing, of which these
        # images have none.
        sizes = [int(size) for size, _ in steps if size != "0"]
        found = re.findall(r"sha256:[0-9a-f]{64}", diff_ids)
        if len(found) != len(sizes):
            raise SystemExit(f"{image} has {len(found)} layers, but {len(sizes)} steps made one")
        return dict(zip(found, sizes))


def image_name(service: Service) -> str:
    return f"inseam-bench/uv-{service.name.replace('_', '-')}:latest"


def _find_client() -> str:
    """The first client on PATH whose builds know `RUN --mount`."""
    for folder in os.get_exec_path():
        client = os.path.join(folder, "docker")
        if not os.access(client, os.X_OK):
            continue
        version = subprocess.run([client, "--version"], capture_output=True, text=True, check=False)
        if " version 20." in version.stdout or not subprocess.call(
            [client, "buildx", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ):
            return client
    raise SystemExit("No Docker client that can build with BuildKit is on PATH.")


def uv_image(docker: Docker, pins: Iterable[Pin], folder: Path) -> str:
    """Builds the image with uv, and the wheels of the pins and of `bumps()`; returns its name."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    lists: list[list[Pin]] = [[]]
    for pin in {*pins, *bumps().values()}:
        # pip takes one version of a distribution at a time.
        target = next((pins for pins in lists if pin.name not in {p.name for p in pins}), None)
        if target is None:
            lists.append(target := [])
        target.append(pin)
    for number, chosen in enumerate(lists):
        file = folder / f"{number}.txt"
        file.write_text(
            "".join(f"{pin.name}=={pin.version} --hash=sha256:{pin.sha256}\n" for pin in chosen)
        )
        _download(wheels, *_PLATFORM, "--require-hashes", f"--requirement={file}")
    _download(folder, "--only-binary=:all:", UV)
    (wheel,) = folder.glob("uv-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/scripts/uv"))
        (folder / "uv").mkdir()
        (folder / "uv/uv").write_bytes(archive.read(name))
    (folder / "uv/uv").chmod(0o755)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY uv /uv\nCOPY wheels /wheels\n")
    (folder / ".dockerignore").write_text("*.whl\n!wheels/*.whl\n*.txt\n")
    docker.run("build", "-q", f"--tag={TOOLS}", ".", cwd=folder)
    return TOOLS


def _download(folder: Path, *args: str) -> None:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", f"--dest={folder}"]
    measuring.run([*pip, *args], folder)
