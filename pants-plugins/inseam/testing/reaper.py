"""Removes containers when the process that started them is gone, however it ended."""

from __future__ import annotations

import os
import subprocess
import sys

LABEL = "inseam.testing"

# Waits for the end of stdin, which means that the parent has ended, even if it was killed.
_WATCH = """\
import subprocess, sys
client, label = sys.argv[1:]
sys.stdin.read()
listed = subprocess.run([client, "ps", "-aq", "--filter", label], capture_output=True, text=True)
if listed.stdout.split():
    subprocess.run([client, "rm", "-fv", *listed.stdout.split()], capture_output=True)
"""


_watchers: dict[tuple[str, int], tuple[str, subprocess.Popen[bytes]]] = {}


def watch(client: str) -> str:
    """The label, `key=value`, of containers that are removed when this process ends.

    The watcher is in a separate session, so that signals to the tests' process group do not reach
    it.
    """
    owner = (client, os.getpid())  # a fork of this process has its own watchers
    if owner not in _watchers:
        label = f"{LABEL}={os.urandom(8).hex()}"
        watcher = subprocess.Popen(
            [sys.executable, "-Sc", _WATCH, client, f"label={label}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _watchers[owner] = (label, watcher)
    return _watchers[owner][0]
