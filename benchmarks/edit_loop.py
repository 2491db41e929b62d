"""Times the way from a one-line edit to an image, against a Dockerfile for uv of the same service.

The service imports numpy, pandas and pyarrow. All kinds of image are built in turn, in each round
after edits of the same module, so that whatever else the machine does hits all of them.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Callable

import measuring
from measuring import Series
from pants_runs import Pants
from uv_images import Docker, prepare
from workplace import ORIGIN, base_image

from scale.monorepo import TABLE, generate

KINDS = {
    "uv": "uv Dockerfile, docker build",
    "image": "Inseam, #image (docker build)",
    "oci": "Inseam, #oci (no daemon)",
    "layers": "Inseam, #layers (metadata only)",
}


def measure(work: Path, rounds: int) -> dict[str, Series]:
    """Seconds of each kind, after an edit and unchanged; the first round is not counted."""
    repo = generate(work / "repository", 3, origin=ORIGIN, repository="inseam-bench")
    docker = Docker()
    (service,) = (service for service in repo.services if service.profile is TABLE)
    with ExitStack() as afterwards:
        pants = Pants(repo.root, work / "caches")
        afterwards.callback(pants.close)
        uv = prepare(docker, base_image(pants), repo.pins(service), work / "tools")
        afterwards.callback(docker.remove, uv)
        repo.write_dockerfiles(uv)

        def package(kind: str) -> Callable[[], float]:
            target = f"src/python/{service.name}:app#{kind}"
            return lambda: pants.run("package", target).seconds

        build: dict[str, Callable[[], float]] = {
            kind: package(kind) for kind in KINDS if kind != "uv"
        }
        build["uv"] = lambda: docker.build(repo, service).seconds
        series = {
            f"{kind}, {what}": Series(f"{KINDS[kind]}, {what}")
            for what in ("edited", "unchanged")
            for kind in KINDS
        }
        for number in range(rounds + 1):
            order = list(KINDS)[number % len(KINDS) :] + list(KINDS)[: number % len(KINDS)]
            for kind in order:
                repo.edit(service.name)
                seconds = {"edited": build[kind](), "unchanged": build[kind]()}
                if number:
                    for what, value in seconds.items():
                        series[f"{kind}, {what}"].seconds.append(value)
    return series


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file for the results")
    options = parser.parse_args()
    before = measuring.machine()
    with tempfile.TemporaryDirectory(prefix="inseam-edit-loop-") as work:
        series = measure(Path(work), options.rounds)
    rows = []
    for what in ("edited", "unchanged"):
        reference = series[f"uv, {what}"].median
        for kind in KINDS:
            one = series[f"{kind}, {what}"]
            ratio = f"{one.median / reference:.1f}"
            times = (f"{value:.2f}" for value in (one.median, one.best, one.worst))
            rows.append((one.name, *times, ratio))
    print(measuring.table(("", "median s", "best s", "worst s", "of uv's median"), rows))
    result = {
        "machine": {"before": before, "after": measuring.machine()},
        "seconds": {name: one.seconds for name, one in series.items()},
    }
    measuring.write_json(options.json, result)


if __name__ == "__main__":
    main()
