"""Runs Pants in a repository that is being measured, with a daemon and caches of its own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import measuring
from measuring import Run


class Pants:
    """The `./pants` of the repository at `root`.

    caches: the folder of its caches, which several repositories may share. name: of its daemon,
    where one repository has several. `close` ends the daemon.
    """

    def __init__(self, root: Path, caches: Path, name: str = "pantsd") -> None:
        self._root = root
        self._pids = root / f".pids-{name}"
        self._env = {
            "PANTS_LOCAL_STORE_DIR": str(caches / "store"),
            "PANTS_NAMED_CACHES_DIR": str(caches / "named"),
            "PANTS_PANTS_SUBPROCESSDIR": str(self._pids),
            "PANTS_DYNAMIC_UI": "false",
        }

    def daemons(self) -> list[int]:
        """The process of its daemon, if one runs."""
        found = []
        for path in self._pids.glob("*/pantsd/pid"):
            try:
                process = int(path.read_text())
                os.kill(process, 0)
            except (OSError, ValueError):
                continue
            found.append(process)
        return found

    def run(self, *args: str, memory: bool = False) -> Run:
        argv = ["./pants", *args]
        return measuring.run(argv, self._root, self._env, memory=memory, daemons=self.daemons())

    def close(self) -> None:
        """Ends the daemon."""
        for process in self.daemons():
            os.kill(process, signal.SIGTERM)
        end = time.monotonic() + 10
        while self.daemons() and time.monotonic() < end:
            time.sleep(0.1)
