"""Where benchmarks find this repository, and the base image that both sides stand on."""

from __future__ import annotations

import re
from pathlib import Path

from pants_runs import Pants

ORIGIN = Path(__file__).resolve().parents[1]


def base_image(pants: Pants) -> str:
    """Puts the base of a generated monorepo into the Docker engine, and returns its name."""
    output = pants.run("package", "docker/base:debian#image").output
    found = re.search(r"inseam/debian:[0-9a-f]+", output)
    if not found:
        raise SystemExit(f"Pants did not name the base image:\n{output}")
    return found[0]
