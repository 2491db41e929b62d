"""Runs the command line of Docker or podman."""

from __future__ import annotations

import shutil
import subprocess

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_text

CLIENTS = ("docker", "podman")


class ClientFailed(Failure):
    """The client failed; the text comes from its stderr."""


def run_client(*argv: str) -> str:
    """The output of the client; raises ClientFailed if it fails."""
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if result.returncode != 0:
        raise ClientFailed(f"`{' '.join(argv[:2])}` failed:\n{foreign_text(result.stderr)}")
    return result.stdout.decode(errors="replace")


def choose_client(wanted: str | None) -> str:
    """The client `wanted`, or by default the first that works; raises Failure if none does."""
    failure = Failure(
        f"{wanted or 'Neither docker nor podman'} is{' not' if wanted else ''} on PATH. Install"
        f" {wanted or 'one of them'}, or push the image to a registry instead."
    )
    for client in [wanted] if wanted else CLIENTS:
        if shutil.which(client) is None:
            continue
        try:
            run_client(client, "version")
            return client
        except ClientFailed as error:
            failure = Failure(
                f"{error}\nCheck that its daemon is running and that you have permission to use it."
            )
    raise failure


def platform(client: str) -> str:
    """The platform of the client's containers, such as "linux/amd64"."""
    if client == "docker":
        template = "{{.Server.Os}}/{{.Server.Arch}}"
        return run_client(client, "version", "--format", template).strip()
    return run_client(client, "info", "--format", "{{.Host.OS}}/{{.Host.Arch}}").strip()
