"""Runs pip, and says in a person's words what went wrong when it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from bootstrap.cache import fail

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
    # All that pip says when it is configured not to retry.
    "(from versions: none)",
)


def own_pip_version() -> tuple[int, ...]:
    """The version of this interpreter's pip, (0,) if it has none."""
    pip = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "--version"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    digits = re.match(r"pip (\d+)\.(\d+)", pip.stdout)
    return tuple(map(int, digits.groups())) if digits else (0,)


def create_venv(folder: Path, with_pip: bool) -> None:
    """Makes a venv of this interpreter, or exits with a message that says what is missing."""
    try:
        venv.create(folder, with_pip=with_pip)
    except (subprocess.CalledProcessError, ImportError) as error:
        version = ".".join(map(str, sys.version_info[:2]))
        fail(
            f"{sys.executable} cannot create a venv ({error}). Install its venv module (Debian and"
            f" Ubuntu: apt-get install python{version}-venv) and run the same command again."
        )


def python_with_pip(scratch: Path) -> Path:
    """This interpreter if it has pip, else that of a venv with pip, made in `scratch`."""
    if own_pip_version() > (0,):
        return Path(sys.executable)
    create_venv(scratch / "venv", with_pip=True)
    return scratch / "venv/bin/python"


def pip_for_new_venv(folder: Path) -> Sequence[str]:
    """Makes a venv and returns the command of a pip that installs into it.

    From 22.3 on, the pip that is there already can do it. That saves installing one.
    """
    shared = own_pip_version() >= (22, 3)
    create_venv(folder, with_pip=not shared)
    inside = str(folder / "bin/python")
    if shared:
        return [sys.executable, "-I", "-m", "pip", "--python", inside]
    return [inside, "-I", "-m", "pip"]


def run_pip(pip: Sequence[str], arguments: Sequence[str], lock: Path) -> None:
    """Runs a command of pip, whose requirements come from the file `lock`.

    Exits with a message that names the lock and the next step when pip fails.
    """
    env = {name: value for name, value in os.environ.items() if name not in NOT_FOR_US}
    env.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    process = subprocess.run(
        [*pip, *arguments, "--no-input"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        close_fds=False,
    )
    if process.returncode:
        fail(explanation(process.returncode, process.stdout, lock))


def explanation(returncode: int, output: str, lock: Path) -> str:
    """What pip's failure means and what to do about it, above the lines that say so."""
    lines = [line for line in output.splitlines() if "ERROR" in line or "Error" in line]
    told = "\n".join(f"    {line}" for line in (lines or output.splitlines())[-8:])
    if "DO NOT MATCH THE HASHES" in output:
        problem = (
            f"a downloaded file is not the one that {lock} locks, so nothing was installed. If a"
            " mirror or a find-links folder serves a rebuilt file, point pip elsewhere; if a"
            " broken file is cached, `python3.9 -m pip cache purge` drops it."
        )
    elif any(symptom in output for symptom in UNREACHABLE):
        problem = (
            "the Python package index can't be reached, or isn't one. Check the network; behind a"
            " proxy set HTTPS_PROXY; for a mirror set `pip config set global.index-url URL` or"
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
