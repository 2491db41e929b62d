"""Times how soon a container of the reports service answers, with bytecode and without.

The image without is the one with, and a layer above that hides each `__pycache__` of the venv and
of the service's code; the standard library keeps its own. Containers run one after the other, in
turn, with a read-only root filesystem.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import measuring
from measuring import Series
from pants_runs import Pants
from uv_images import Docker
from workplace import ORIGIN

IMAGE = "inseam-bench/reports:latest"
WITHOUT = "inseam-bench/reports-without-bytecode:latest"
PORT = 8000
LIMIT = 120  # seconds until a container must answer

_REMOVE = """\
import pathlib, shutil
for root in ("/opt/venv", "/app"):
    for path in sorted(pathlib.Path(root).rglob("__pycache__")):
        shutil.rmtree(path)
"""


def make_images(docker: Docker) -> None:
    """Puts both images into the Docker engine."""
    with tempfile.TemporaryDirectory(prefix="inseam-cold-start-") as folder:
        work = Path(folder)
        pants = Pants(ORIGIN, work / "caches")
        pants.run("--no-pantsd", "package", "src/python/reports:app#image")
        docker.run("tag", "reports:latest", IMAGE)
        context = work / "context"
        context.mkdir()
        (context / "remove.py").write_text(_REMOVE)
        (context / "Dockerfile").write_text(
            f"FROM {IMAGE}\nUSER 0:0\nCOPY remove.py /tmp/remove.py\n"
            'RUN ["/opt/venv/bin/python", "/tmp/remove.py"]\nUSER 65532:65532\n'
        )
        docker.run("build", "-q", f"--tag={WITHOUT}", ".", cwd=context)


def first_answer(docker: Docker, image: str) -> float:
    """Seconds from `docker run` to the first answer of the service."""
    start = time.monotonic()
    options = ("--rm", "--detach", "--read-only", "--cap-drop=ALL")
    container = docker.run("run", *options, f"--publish=127.0.0.1::{PORT}", image).output.strip()
    try:
        address = docker.run("port", container, f"{PORT}/tcp").output.split()[0]
        while time.monotonic() - start < LIMIT:
            try:
                with urllib.request.urlopen(f"http://{address}/health", timeout=1):
                    return time.monotonic() - start
            except (urllib.error.URLError, OSError):
                time.sleep(0.01)
        raise SystemExit(f"{image} does not answer within {LIMIT} s")
    finally:
        docker.run("rm", "--force", container)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path, help="file for the results")
    options = parser.parse_args()
    before = measuring.machine()
    docker = Docker()
    make_images(docker)
    series = {IMAGE: Series("with bytecode"), WITHOUT: Series("without")}
    for number in range(options.rounds + 1):
        for image, one in series.items():
            seconds = first_answer(docker, image)
            if number:  # the first round reads the image from the disk
                one.seconds.append(seconds)
    reference = series[IMAGE].median
    rows = [
        (
            one.name,
            *(f"{value:.2f}" for value in (one.median, one.best, one.worst)),
            f"{one.median / reference:.1f}",
        )
        for one in series.values()
    ]
    print(measuring.table(("reports", "median s", "best s", "worst s", "ratio"), rows))
    result = {
        "machine": {"before": before, "after": measuring.machine()},
        "seconds": {one.name: one.seconds for one in series.values()},
    }
    measuring.write_json(options.json, result)


if __name__ == "__main__":
    main()
