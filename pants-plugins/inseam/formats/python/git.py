"""Runs git so that nothing but git itself runs: no hook, no filter, no other protocol.

Of the user's configuration only what says how servers are reached counts: helpers for credentials,
proxies, certificates, other URLs. The rest would change files (filters, line ends), or run
programs.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from inseam.formats.failure import Failure
from inseam.formats.foreign_text import foreign_text

_SETTINGS = {
    "advice.detachedHead": "false",
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.ssh.allow": "always",
    # Whose folders git may read is nothing that a wildcard in a configuration says.
    "safe.directory": "",
    "submodule.recurse": "false",
}
_ENVIRONMENT = {
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
_ACCESS = r"^(credential|http|url)\.|^core\.sshcommand$"


def git(folder: Path, *argv: str, local: bool = False) -> str:
    """What git prints; raises Failure with what it says if it fails.

    local: whether it may read repositories that are folders of this machine.
    """
    failed, output = attempt(folder, *argv, local=local)
    if failed:
        raise Failure(f"git {argv[0]} failed:\n{failed}")
    return output


def attempt(folder: Path, *argv: str, local: bool = False) -> tuple[str, str]:
    """What went wrong, "" for success, and what git prints."""
    settings = {**_SETTINGS, "protocol.file.allow": "always" if local else "never"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # It is how the user reaches servers, too.
    own.update({name: os.environ[name] for name in ("GIT_SSH_COMMAND",) if name in os.environ})
    result = _run(["git", *options, "-C", str(folder), *argv], {**own, **_access(), **_ENVIRONMENT})
    if result.returncode == 0:
        return "", result.stdout
    return foreign_text(result.stderr) or "it failed", ""


@cache
def _access() -> dict[str, str]:
    """The user's settings of how servers are reached, as variables that git reads."""
    argv = ["git", "config", "--global", "--includes", "--null", "--get-regexp", _ACCESS]
    found: dict[str, str] = {}
    settings = _run(argv, dict(os.environ)).stdout.split("\0")[:-1]
    for number, setting in enumerate(settings):
        name, _, value = setting.partition("\n")
        found[f"GIT_CONFIG_KEY_{number}"], found[f"GIT_CONFIG_VALUE_{number}"] = name, value
    return {**found, "GIT_CONFIG_COUNT": str(len(settings))}


def _run(argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        raise Failure(
            "a source in the lock is in a git repository, but there is no git on PATH. Install it."
        ) from None
