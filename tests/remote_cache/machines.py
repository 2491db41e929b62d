"""Machines that share a remote cache: each has its checkout, its caches and its interpreter."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nested.checkout import Checkout
from scale.monorepo import generate

SERVICES = 2  # one with FastAPI, one without any requirement
EVERYTHING = (
    # A lookup that takes longer counts as a miss: with the default, 1.5 s, so do those of a busy
    # machine.
    "--remote-cache-rpc-timeout-millis=60000",
    "--filter-target-type=_venv_layers,oci_image",
    "package",
    "::",
)
LAYERS = ("package", "src/python/service_000:app#layers")


@contextmanager
def machine(root: Path, address: str, python: str = "") -> Iterator[Checkout]:
    """A machine whose checkout is at `root`, with nothing in its caches.

    address: of its remote cache. python: the only folder where it looks for a CPython, beside the
    one that runs Pants.
    """
    generate(root, SERVICES, origin=Path.cwd())
    shutil.copy("pants.remote.toml", root)
    env = {"INSEAM_REMOTE_CACHE": address, "PANTS_CONFIG_FILES": "pants.remote.toml"}
    if python:
        env["PANTS_PYTHON_BOOTSTRAP_SEARCH_PATH"] = f"['{python}']"
    checkout = Checkout(root, env, cold=True, daemon=False)
    try:
        yield checkout
    finally:
        checkout.remove()


def made(checkout: Checkout) -> dict[str, str]:
    """What the machine has made, by the path of each description in `dist`."""
    dist = checkout.root / "dist"
    return {
        path.relative_to(dist).as_posix(): path.read_text()
        for name in ("layers.json", "image.json")
        for path in dist.rglob(name)
    }
