"""Runs pip, and says in a person's words what went wrong when it fails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Sequence

from launcher.cache import fail

# Settings of the user's pip that are meant for their own installations, not for ours.
NOT_FOR_US = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES", "PIP_CONSTRAINT")

UNREACHABLE = (
    "Failed to establish a new connection",
    "Connection refused",
    "Connection broken",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Read timed out",
    "Temporary failure in name resolution",
    "Max retries exceeded",
    "ProxyError",
    "SSLError",
    "NewConnectionError",
)


def run_pip(python: Path, arguments: Sequence[str], lock: Path) -> None:
    """Runs `python -m pip ARGUMENTS`, whose requirements come from the file `lock`.

    Exits with a message that names the lock and the next step when pip fails.
    """
    env = {name: value for name, value in os.environ.items() if name not in NOT_FOR_US}
    env.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    pip = subprocess.run(
        [str(python), "-I", "-m", "pip", "--no-input", *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        close_fds=False,
    )
    if pip.returncode:
        fail(explanation(pip.returncode, pip.stdout, lock))


def explanation(returncode: int, output: str, lock: Path) -> str:
    """What pip's failure means and what to do about it, above the lines that say so."""
    lines = [line for line in output.splitlines() if line and "is ignored: it is" not in line]
    told = "\n".join(f"    {line}" for line in lines[-12:])
    if "DO NOT MATCH THE HASHES" in output:
        problem = (
            f"a downloaded file is not the one that {lock} locks, so nothing was installed. If a"
            " mirror or a find-links folder serves a rebuilt file, point pip elsewhere; if a"
            " broken file is cached, `python3.9 -m pip cache purge` drops it."
        )
    elif any(symptom in output for symptom in UNREACHABLE):
        problem = (
            "the Python package index can't be reached. Check the network; behind a proxy set"
            " HTTPS_PROXY; with a mirror set `pip config set global.index-url URL` or"
            " PIP_INDEX_URL. Then type the same command again."
        )
    elif "No matching distribution found" in output:
        problem = (
            f"the Python package index that pip is configured for lacks a file that {lock} pins"
            " for this platform. Point pip to a complete index (PIP_INDEX_URL), then type the"
            " same command again."
        )
    else:
        problem = f"pip failed (exit code {returncode}) on {lock}. Its last lines say why."
    return f"{problem}\n{told}"
