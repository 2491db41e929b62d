"""Measures monorepos of many services: what is built again after a change, and what it costs.

For each size, OCI images of all services are packaged with a warm daemon: nothing changed, one
service edited, a library of half of the services edited, a small wheel bumped, a large one bumped,
a label of all images changed, so that each is assembled again of layers that stay.
With --against the same services are built in the same run, after the same changes, as Docker images
by Inseam, and four at a time from two kinds of Dockerfiles for uv: those of uv's own guide, for a
workspace with one lock; and tuned ones, for which services share files of requirements.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import statistics
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Callable

import measuring
from measuring import megabytes
from pants_runs import Pants
from uv_images import TUNED, Docker, prepare
from uv_workspace import DOCUMENTED, Workspace
from workplace import ORIGIN, base_image

from scale.monorepo import Monorepo, bumps, generate

OCI = "oci_image"
DOCKER = "docker_image"
UV = "uv"
WORKSPACE = "uv workspace"
AT_A_TIME = 4  # builds of Dockerfiles

# The changes, with how often each is made in a run. A bump can be made once for each other
# version that there is.
SMALL = ("click", "idna", "starlette")
LARGE = ("numpy", "pyarrow")


def changes(repo: Monorepo, rounds: int) -> dict[str, list[Callable[[], None]]]:
    """What is done to the monorepo before each measurement, by the name of the change."""
    one = repo.services[min(2, len(repo.services) - 1)].name
    pins = bumps()
    return {
        "nothing changed": [lambda: None] * rounds,
        "one service edited": [lambda: repo.edit(one)] * rounds,
        "library of half of them edited": [lambda: repo.edit("identity")] * rounds,
        "small wheel bumped": [partial(repo.bump, pins[name]) for name in SMALL],
        "large wheel bumped": [partial(repo.bump, pins[name]) for name in LARGE],
        "label of all images": [partial(repo.release, f"r{number}") for number in range(rounds)],
    }


@dataclass
class Cell:
    """Repeated measurements: wall times in seconds, peaks of memory in bytes."""

    seconds: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


Table = dict[str, dict[str, Cell]]  # by change, by kind of build


def package(pants: Pants, kind: str, *, memory: bool = False) -> measuring.Run:
    return pants.run(f"--filter-target-type={kind}", "package", "::", memory=memory)


def measure(
    repo: Monorepo,
    builds: dict[str, Callable[[], measuring.Run]],
    rounds: int,
    *,
    after_change: Callable[[], None] = lambda: None,
) -> Table:
    """Builds all kinds, in turn, after each change."""
    results: Table = {}
    for change, times in changes(repo, rounds).items():
        cells = results.setdefault(change, {kind: Cell() for kind in builds})
        for number, make in enumerate(times):
            make()
            after_change()
            order = list(builds)
            for kind in order[number % len(order) :] + order[: number % len(order)]:
                run = builds[kind]()
                print(f"{change}, {kind}: {run.seconds:.2f} s", file=sys.stderr, flush=True)
                cells[kind].seconds.append(run.seconds)
                cells[kind].peaks.append(run.peak)
    return results


def unique_bytes(repo: Monorepo) -> dict[str, int]:
    """Bytes of the distinct layers of all OCI images; of the distinct files in these, each with
    its header; and what the images would have without sharing layers. All uncompressed."""
    layers: dict[str, int] = {}
    files: dict[tuple[str, str], int] = {}
    apart = 0
    blobs = repo.root / "dist/oci/blobs/sha256"
    for service in repo.services:
        image = repo.root / f"dist/src.python.{service.name}/app.oci"
        for digest in _layer_digests(image, blobs):
            if digest not in layers:
                layers[digest] = _read_layer(blobs / digest, files)
            apart += layers[digest]
    return {
        "images apart": apart,
        "distinct layers": sum(layers.values()),
        "distinct files": sum(files.values()),
    }


def _layer_digests(image: Path, blobs: Path) -> list[str]:
    """Hex digests of the layers of an image, its base's included."""
    index = json.loads((image / "index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())
    return [layer["digest"][7:] for layer in manifest["layers"]]


def _read_layer(blob: Path, files: dict[tuple[str, str], int]) -> int:
    """Adds the files of a layer, by path and content; returns the layer's size."""
    size = 0
    with tarfile.open(blob, "r:gz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            data = content.read() if content else b""
            total = 512 + (len(data) + 511) // 512 * 512
            size += total
            files[member.name, hashlib.sha256(data).hexdigest()] = total
    return size


def alone(size: int, work: Path, caches: Path, rounds: int) -> dict[str, Any]:
    """OCI images of a monorepo of that size."""
    repo = generate(work / f"of-{size}", size, origin=ORIGIN, repository="inseam-bench")
    pants = Pants(repo.root, caches)
    try:
        first = package(pants, OCI)
        package(pants, OCI)
        sizes = unique_bytes(repo)
        table = measure(repo, {OCI: lambda: package(pants, OCI, memory=True)}, rounds)
    finally:
        pants.close()
        shutil.rmtree(repo.root)
    return {"services": size, "first": first.seconds, "bytes": sizes, "changes": _plain(table)}


def against(size: int, work: Path, caches: Path, rounds: int) -> dict[str, Any]:
    """The same services as OCI images, Docker images, and from Dockerfiles for uv."""
    repo = generate(work / "against", size, origin=ORIGIN, repository="inseam-bench")
    docker = Docker()
    # Each kind of image has separate caches, so that none finds what another has made.
    pants = {kind: Pants(repo.root, caches / kind, name=kind) for kind in (OCI, DOCKER)}

    with ExitStack() as afterwards:
        for one in pants.values():
            afterwards.callback(one.close)
        pins = {pin for service in repo.services for pin in repo.pins(service)}
        tools = work / "tools"
        uv = prepare(docker, base_image(pants[DOCKER]), pins, tools)
        afterwards.callback(docker.remove, uv)
        repo.take_wheels_from(tools / "wheels")
        repo.write_dockerfiles(uv)
        workspace = Workspace(repo, uv, tools / "wheels", tools / "uv/uv")

        def ready() -> None:
            """Does for uv what a change asks for, and is not measured."""
            repo.take_wheels_from(tools / "wheels")
            workspace.lock()
            for files in (TUNED, DOCUMENTED):
                files.tell_apart(repo)

        ready()
        builds: dict[str, Callable[[], measuring.Run]] = {
            OCI: lambda: package(pants[OCI], OCI),
            DOCKER: lambda: package(pants[DOCKER], DOCKER),
            UV: lambda: docker.build_all(repo, AT_A_TIME),
            WORKSPACE: lambda: workspace.build_all(docker, AT_A_TIME),
        }
        first = {kind: build().seconds for kind, build in builds.items()}
        for build in builds.values():
            build()
        layers: dict[str, int] = {}
        for service in repo.services:
            layers.update(docker.layers(TUNED.image(service)))
        sizes = {**unique_bytes(repo), "distinct layers of uv": sum(layers.values())}

        table = measure(repo, builds, rounds, after_change=ready)
    return {"services": size, "first": first, "bytes": sizes, "changes": _plain(table)}


def _plain(table: Table) -> dict[str, Any]:
    return {
        change: {
            kind: {"seconds": cell.seconds, "peaks": cell.peaks} for kind, cell in cells.items()
        }
        for change, cells in table.items()
    }


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):.2f}"


def show_alone(results: list[dict[str, Any]]) -> None:
    rows = []
    for change in results[0]["changes"]:
        row = [change]
        for result in results:
            cell = result["changes"][change][OCI]
            row += [_median(cell["seconds"]), megabytes(max(cell["peaks"]))]
        rows.append(row)
    head = ["OCI images, warm"]
    for result in results:
        head += [f"{result['services']}: s", "peak"]
    print(measuring.table(head, rows))
    print()
    rows = [
        [
            str(result["services"]),
            *(megabytes(result["bytes"][name]) for name in BYTES),
            f"{result['bytes']['distinct layers'] / result['bytes']['distinct files']:.3f}",
        ]
        for result in results
    ]
    print(measuring.table(["services", *BYTES, "layers/files"], rows))


BYTES = ("images apart", "distinct layers", "distinct files")


def show_against(result: dict[str, Any]) -> None:
    rows = []
    for change, cells in result["changes"].items():
        seconds = {kind: statistics.median(cell["seconds"]) for kind, cell in cells.items()}
        row = [change, *(f"{value:.2f}" for value in seconds.values())]
        row += [
            f"{seconds[own] / seconds[theirs]:.2f}"
            for own in (OCI, DOCKER)
            for theirs in (WORKSPACE, UV)
        ]
        rows.append(row)
    head = [f"{result['services']} services", *(f"{kind}: s" for kind in seconds)]
    head += [f"{own} of {theirs}" for own in ("#oci", "#image") for theirs in (WORKSPACE, UV)]
    print(measuring.table(head, rows))
    print()
    ours, theirs = (result["bytes"][f"distinct layers{of}"] for of in ("", " of uv"))
    print(f"Distinct layers: Inseam {megabytes(ours)}, uv {megabytes(theirs)}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 50, 200])
    parser.add_argument("--against", type=int, default=0, help="services to build by uv, too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for the results")
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": {"before": measuring.machine()}, "alone": []}
    with tempfile.TemporaryDirectory(prefix="inseam-scale-") as folder:
        work = Path(folder)
        caches = work / "caches"
        for size in options.sizes:
            result["alone"].append(alone(size, work, caches, options.rounds))
            measuring.write_json(options.json, result)
        if options.against:
            result["against"] = against(
                options.against, work, work / "caches-against", options.rounds
            )
    result["machine"]["after"] = measuring.machine()
    measuring.write_json(options.json, result)
    if result["alone"]:
        show_alone(result["alone"])
    if options.against:
        print()
        show_against(result["against"])


if __name__ == "__main__":
    main()
