"""Times the way from a one-line edit to an image in a registry, and counts the bytes sent there.

The service imports numpy, pandas and pyarrow; the registry is Debian's docker-registry on a
loopback port. `./pants publish` of the OCI image takes turns with `docker build` of a Dockerfile
for uv and `docker push`. Needs a Docker Engine, docker-registry and skopeo.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import measuring
from forwarder import forwarding
from measuring import Series
from pants_runs import Pants
from uv_images import TUNED, Docker, prepare
from workplace import ORIGIN, base_image

from oci.registry import running
from scale.monorepo import TABLE, generate

KINDS = {"inseam": "./pants publish, #oci", "uv": "docker build and docker push, uv Dockerfile"}


def measure(work: Path, rounds: int) -> tuple[dict[str, Series], dict[str, list[int]]]:
    """Seconds and bytes sent of each kind; the first push and the first round are not counted."""
    program = shutil.which("docker-registry")
    if program is None:
        raise SystemExit("docker-registry is not on PATH (Debian: apt-get install docker-registry)")
    repo = generate(work / "repository", 3, origin=ORIGIN, repository="inseam-bench")
    docker = Docker()
    (service,) = (service for service in repo.services if service.profile is TABLE)
    (work / "registry").mkdir()
    with ExitStack() as afterwards:
        registry = afterwards.enter_context(running(program, work / "registry"))
        forwarder = afterwards.enter_context(forwarding(registry.port))
        pants = Pants(repo.root, work / "caches")
        afterwards.callback(pants.close)
        uv = prepare(docker, base_image(pants), repo.pins(service), work / "tools")
        afterwards.callback(docker.remove, uv)
        repo.write_dockerfiles(uv)
        option = (
            f"--docker-registries={{'here': {{'address': '{forwarder.host}', 'default': True}}}}"
        )
        pushed = f"{forwarder.host}/{TUNED.image(service)}"

        def with_inseam() -> float:
            return pants.run(option, "publish", f"src/python/{service.name}:app#oci").seconds

        def with_uv() -> float:
            steps = (
                docker.build(repo, service),
                docker.run("tag", TUNED.image(service), pushed),
                docker.run("push", "-q", pushed),
            )
            return sum(step.seconds for step in steps)

        publish: dict[str, Callable[[], float]] = {"inseam": with_inseam, "uv": with_uv}
        seconds = {kind: Series(name) for kind, name in KINDS.items()}
        sent: dict[str, list[int]] = {kind: [] for kind in KINDS}
        for number in range(rounds + 2):
            for kind in sorted(KINDS, reverse=number % 2 == 1):
                repo.edit(service.name)
                before = forwarder.sent
                took = publish[kind]()
                if number > 1:
                    seconds[kind].seconds.append(took)
                    sent[kind].append(forwarder.sent - before)
    return seconds, sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="file for the results")
    options = parser.parse_args()
    before = measuring.machine()
    with tempfile.TemporaryDirectory(prefix="inseam-push-loop-") as work:
        seconds, sent = measure(Path(work), options.rounds)
    rows = []
    for kind, series in seconds.items():
        times = (f"{value:.2f}" for value in (series.median, series.best, series.worst))
        ratio = f"{series.median / seconds['uv'].median:.1f}"
        rows.append((series.name, *times, ratio, f"{statistics.median(sent[kind]):,.0f}"))
    head = ("", "median s", "best s", "worst s", "of uv's median", "bytes sent")
    print(measuring.table(head, rows))
    result: dict[str, Any] = {
        "machine": {"before": before, "after": measuring.machine()},
        "seconds": {kind: series.seconds for kind, series in seconds.items()},
        "sent": sent,
    }
    measuring.write_json(options.json, result)


if __name__ == "__main__":
    main()
