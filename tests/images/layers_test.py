"""The layers of the images, as the engine has them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from images.services import SERVICES
from inseam.testing import Engine, Image
from inseam.testing.image import search_path

MAX_SERVICE = 55_000_000  # bytes of the stdlib service's image
MAX_BASE = 52_000_000

DOCKERFILE = """\
ARG BASE_IMAGE={base}
FROM ${{BASE_IMAGE}}
ADD first.tar /
ADD second.tar /
ENV PATH="/opt/venv/bin:/usr/bin" TEXT="a \\"b\\" \\$c"
WORKDIR /app
USER 65532:65532
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3 CMD ["/opt/venv/bin/python"]
ENTRYPOINT ["/opt/venv/bin/python"]
"""


@dataclass(frozen=True)
class Entry:
    """What a layer says of a path, but for its place in the tar."""

    type: bytes
    mode: int
    owner: tuple[int, int]
    mtime: int
    link: str
    size: int
    sha256: str


def read_layer(tar: tarfile.TarFile) -> dict[str, Entry]:
    entries = {}
    for member in tar:
        file = tar.extractfile(member) if member.isfile() else None
        entries[member.name.rstrip("/")] = Entry(
            member.type,
            member.mode & 0o7777,  # Docker repeats the type in it
            (member.uid, member.gid),
            int(member.mtime),
            member.linkname,
            member.size,
            hashlib.sha256(file.read()).hexdigest() if file else "",
        )
    return entries


@pytest.fixture(scope="module")
def layers(
    container_engine: Engine, images: dict[str, Image], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Entry]]]:
    """Of each service, its layers from `docker save`, lowest first, without empty ones."""
    folder = tmp_path_factory.mktemp("saved")
    archive = folder / "images.tar"
    references = {image.reference: name for name, image in images.items()}
    container_engine.output("save", f"--output={archive}", *references, timeout=300)
    seen: dict[str, dict[str, Entry]] = {}
    found = {}
    with tarfile.open(archive) as saved:

        def layer(path: str) -> dict[str, Entry]:
            if path not in seen:
                with tarfile.open(fileobj=saved.extractfile(path)) as tar:
                    seen[path] = read_layer(tar)
            return seen[path]

        manifest = saved.extractfile("manifest.json")
        assert manifest is not None
        for each in json.load(manifest):
            name = references["sha256:" + Path(each["Config"]).name.removesuffix(".json")]
            found[name] = [entries for path in each["Layers"] if (entries := layer(path))]
    archive.unlink()
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_no_layer_hides_a_file_of_another(
    layers: dict[str, list[dict[str, Entry]]], name: str
) -> None:
    count = Counter(
        path
        for layer in layers[name]
        for path, entry in layer.items()
        if entry.type != tarfile.DIRTYPE
    )
    assert [path for path, layers in count.items() if layers > 1] == []
    assert [path for path in count if Path(path).name.startswith(".wh.")] == []


@pytest.mark.parametrize("name", SERVICES)
def test_layers_agree_on_folders(layers: dict[str, list[dict[str, Entry]]], name: str) -> None:
    merged: dict[str, Entry] = {}
    for layer in layers[name]:
        for path, entry in layer.items():
            assert merged.setdefault(path, entry) == entry, path


@pytest.mark.parametrize("name", SERVICES)
def test_everything_belongs_to_root_and_to_no_time(
    layers: dict[str, list[dict[str, Entry]]], name: str
) -> None:
    odd = {
        path: entry
        for layer in layers[name]
        for path, entry in layer.items()
        if entry.mtime != 0 or (entry.owner != (0, 0) and not path.startswith("home/"))
    }
    assert odd == {}


def test_they_share_the_base(container_engine: Engine, images: dict[str, Image]) -> None:
    lowest = {
        container_engine.inspect("image", image.reference)["RootFS"]["Layers"][0]
        for image in images.values()
    }
    assert len(lowest) == 1


@pytest.mark.parametrize("name", ["service", "catalog"])
def test_the_engine_holds_what_pants_built(
    layers: dict[str, list[dict[str, Entry]]], name: str
) -> None:
    """The engine writes its own tars, so entries are compared instead of digests."""
    folder = _codegen(f"src/python/{name}/app.layers")
    described = json.loads((folder / "layers.json").read_text())
    assert len(described) == len(layers[name]) - 1
    for description, held in zip(described, layers[name][1:]):
        file = folder / f"{description['name']}.tar"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert description["diff_id"] == f"sha256:{digest}"
        assert description["size"] == file.stat().st_size
        with tarfile.open(file) as tar:
            assert read_layer(tar) == held


def _codegen(path: str) -> Path:
    for folder in search_path():
        for found in (folder / path, folder / "codegen" / path):
            if (found / "layers.json").is_file():
                return found
    raise AssertionError(f"no {path}: ./pants export-codegen {path.replace('/app.', ':app#')}")


def test_the_stdlib_service_is_small(
    container_engine: Engine, images: dict[str, Image], layers: dict[str, list[dict[str, Entry]]]
) -> None:
    base = sum(entry.size for entry in layers["service"][0].values())
    assert base <= MAX_BASE, f"{base:,} bytes"
    size = container_engine.inspect("image", images["service"].reference)["Size"]
    assert size <= MAX_SERVICE, f"{size:,} bytes"


def clients(name: str = "docker") -> Iterator[str]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        client = shutil.which(name, path=folder)
        if client:
            yield client


def filled_layers(image: dict[str, Any]) -> list[str]:
    """Diff IDs, without the empty layer that BuildKit makes of WORKDIR."""
    empty = f"sha256:{hashlib.sha256(bytes(1024)).hexdigest()}"
    return [diff_id for diff_id in image["RootFS"]["Layers"] if diff_id != empty]


def test_both_builders_of_docker_make_the_same_layers(
    container_engine: Engine,
    images: dict[str, Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one Dockerfile text that the rule set writes, on a context of two small tars."""
    if container_engine.podman:
        pytest.skip("Podman has one builder")
    for name in ("first", "second"):
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            for path in ("opt", "opt/venv", f"opt/venv/{name}"):
                member = tarfile.TarInfo(path)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
    base = images["service"].name
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    built = []
    try:
        for buildkit in ("0", "1"):
            monkeypatch.setenv("DOCKER_BUILDKIT", buildkit)
            tag = f"inseam-test-builder:{os.urandom(6).hex()}"
            said = []
            for client in clients():
                done = Engine(client).run("build", f"--tag={tag}", str(tmp_path))
                if done.exit_code == 0:
                    built.append(tag)
                    break
                said.append(done.stderr.strip())
            else:
                pytest.skip(f"no client builds with DOCKER_BUILDKIT={buildkit}: {said}")
        legacy, modern = (container_engine.inspect("image", tag) for tag in built)
        assert filled_layers(legacy) == filled_layers(modern)
        for key in ("Env", "User", "ExposedPorts", "Healthcheck", "Entrypoint", "StopSignal"):
            assert legacy["Config"][key] == modern["Config"][key]
    finally:
        for tag in built:
            container_engine.run("rmi", tag)
