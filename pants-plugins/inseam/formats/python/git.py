"""Runs git so that nothing but git itself runs: no hooks, no filters, no other protocols.

Only the parts of the user's configuration that say how to reach servers are used: credential
helpers, proxies, certificates, URL rewrites. The rest could change files (filters, line endings) or
run programs.
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
    # A wildcard in a configuration must not decide whose folders git may read.
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
    """The output of git; raises Failure with its error if it fails.

    local: whether it may read repositories that are folders on this machine.
    """
    failed, output = attempt(folder, *argv, local=local)
    if failed:
        raise Failure(f"git {argv[0]} failed:\n{failed}")
    return output


def attempt(folder: Path, *argv: str, local: bool = False) -> tuple[str, str]:
    """The error, "" for success, and the output of git."""
    settings = {**_SETTINGS, "protocol.file.allow": "always" if local else "never"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # The user may also need it to reach servers.
    own.update({name: os.environ[name] for name in ("GIT_SSH_COMMAND",) if name in os.environ})
    result = _run(["git", *options, "-C", str(folder), *argv], {**own, **_access(), **_ENVIRONMENT})
    if result.returncode == 0:
        return "", result.stdout
    return foreign_text(result.stderr) or "it failed", ""


@cache
def _access() -> dict[str, str]:
    """The user's settings for reaching servers, as environment variables for git."""
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
