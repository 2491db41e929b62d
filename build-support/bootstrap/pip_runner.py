"""Runs pip, and explains in plain words what went wrong if it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from bootstrap.cache import fail

# Settings of the user's pip that apply to their own installations, not to ours.
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
    # The only hint that pip gives when it is configured not to retry.
    "(from versions: none)",
)


def own_pip_version() -> tuple[int, ...]:
    """The version of this interpreter's pip, or (0,) if it has none."""
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
    """Creates a venv for this interpreter, or exits with a message that says what is missing."""
    try:
        venv.create(folder, with_pip=with_pip)
    except (subprocess.CalledProcessError, ImportError) as error:
        version = ".".join(map(str, sys.version_info[:2]))
        fail(
            f"{sys.executable} cannot create a venv ({error}). Install its venv module (Debian and"
            f" Ubuntu: apt-get install python{version}-venv) and run the same command again."
        )


def python_with_pip(scratch: Path) -> Path:
    """This interpreter if it has pip, otherwise that of a new venv with pip in `scratch`."""
    if own_pip_version() > (0,):
        return Path(sys.executable)
    create_venv(scratch / "venv", with_pip=True)
    return scratch / "venv/bin/python"


def pip_for_new_venv(folder: Path) -> Sequence[str]:
    """Creates a venv and returns the command of a pip that installs into it.

    From 22.3 on, an existing pip can do this, which saves installing another one.
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
    """What pip's failure means and what to do about it, followed by the relevant output."""
    lines = [line for line in output.splitlines() if "ERROR" in line or "Error" in line]
    told = "\n".join(f"    {line}" for line in (lines or output.splitlines())[-8:])
    if "DO NOT MATCH THE HASHES" in output:
        problem = (
            f"a downloaded file is not the one that {lock} locks, so nothing was installed. If a"
            " mirror or a find-links folder serves a rebuilt file, point pip elsewhere. If a"
            " broken file is cached, remove it with `python3.9 -m pip cache purge`."
        )
    elif any(symptom in output for symptom in UNREACHABLE):
        problem = (
            "the Python package index can't be reached, or is not a package index. Check the"
            " network. Behind a proxy, set HTTPS_PROXY. For a mirror, run `pip config set"
            " global.index-url URL` or set PIP_INDEX_URL. Then run the same command again."
        )
    elif "No matching distribution found" in output:
        problem = (
            f"the package index in pip's configuration does not have a file that {lock} pins for"
            " this platform. Point pip to a complete index (PIP_INDEX_URL), then run the same"
            " command again."
        )
    else:
        problem = f"pip failed on {lock} (exit code {returncode}). Its last lines of output:"
    return f"{problem}\n{told}"
