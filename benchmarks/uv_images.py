"""Builds the Dockerfiles for uv of a generated monorepo, as their users would."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import measuring
from measuring import Run

from scale.monorepo import Monorepo, Pin, Service, Uv, bumps

UV = "uv==0.13.9"
TOOLS = "inseam-bench/tools:latest"
BASE = "inseam-bench/base:latest"
_RUN = "org.inseam.benchmark"  # label of the images of one run
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


@dataclass(frozen=True)
class Dockerfiles:
    """The Dockerfiles of a monorepo that are built alike.

    kind: what they and their images are called. file: their name, in each service's folder.
    """

    kind: str
    file: str

    def image(self, service: Service) -> str:
        return f"inseam-bench/{self.kind}-{service.name.replace('_', '-')}:latest"

    def tell_apart(self, repo: Monorepo) -> None:
        """Gives each Dockerfile a time of change of its own.

        Docker takes one for another whose path in its folder, size and time of change are equal.
        """
        now = time.time_ns()
        for number, service in enumerate(repo.services):
            path = repo.sources / service.name / self.file
            os.utime(path, ns=(now + number * 1000, now + number * 1000))


TUNED = Dockerfiles("uv", "Dockerfile")


class Docker:
    """The Docker client that can build with BuildKit."""

    def __init__(self) -> None:
        self.client = _find_client()
        self._env = {"DOCKER_BUILDKIT": "1"}

    def run(self, *args: str, cwd: Path = Path("/")) -> Run:
        return measuring.run([self.client, *args], cwd, self._env)

    def build(self, repo: Monorepo, service: Service, files: Dockerfiles = TUNED) -> Run:
        """Builds the image of one service."""
        file = f"--file={service.name}/{files.file}"
        name = f"--tag={files.image(service)}"
        return self.run("build", "-q", file, name, ".", cwd=repo.sources)

    def build_all(self, repo: Monorepo, parallel: int, files: Dockerfiles = TUNED) -> Run:
        """Builds the images of all services, so many at a time."""
        start = time.monotonic()
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(lambda service: self.build(repo, service, files), repo.services))
        return Run(time.monotonic() - start)

    def remove(self, uv: Uv) -> None:
        """Removes all images that were built on what `prepare` returned, the replaced ones too."""
        label = f"--filter=label={_RUN}={uv.cache}"
        ids = sorted({*self.run("images", "--all", "--quiet", label).output.split()})
        if ids:
            subprocess.run(
                [self.client, "rmi", "--force", *ids], stdout=subprocess.DEVNULL, check=False
            )

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


def prepare(docker: Docker, base: str, pins: Iterable[Pin], folder: Path) -> Uv:
    """What Dockerfiles for uv start from, with the wheels of the pins and of `bumps()`.

    Nothing that an earlier run has built or unpacked is used again: a base of this run's own makes
    all steps on it new. The wheels and uv also lie below the folder: `wheels` and `uv/uv`.
    """
    run = f"inseam-bench-{secrets.token_hex(8)}"
    tools = _tools(docker, pins, folder)
    (folder / "base").mkdir()
    (folder / "base/Dockerfile").write_text(f"FROM {base}\nLABEL {_RUN}={run}\n")
    docker.run("build", "-q", f"--tag={BASE}", ".", cwd=folder / "base")
    return Uv(BASE, tools, run)


def _tools(docker: Docker, pins: Iterable[Pin], folder: Path) -> str:
    """Builds the image with uv and the wheels; returns its name."""
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
