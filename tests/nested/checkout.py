"""Repositories that tests build, with the machine's caches or with empty ones."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping

from nested.report import Report, options, read_report


def launcher(path: str = "./pants") -> list[str]:
    """The command that runs Pants: INSEAM_PANTS, or the launcher at `path`."""
    return shlex.split(os.environ.get("INSEAM_PANTS", "")) or [path]


# Seconds. Pants itself waits for one minute, in which a busy machine may not start a daemon.
_DAEMON_STARTS_WITHIN = 600
_DAEMON_IS_SLOW = re.compile(r"exceeded timeout of \S+ seconds while waiting for pantsd")


@dataclass(frozen=True)
class Checkout:
    """A repository that a test builds."""

    root: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of its builds, in addition to those of the test."""
    umask: int = 0o022
    cold: bool = False
    """Whether its builds begin with empty caches of Pants, for tests of what is built; all others
    use the machine's, in which most is built already."""
    daemon: bool = True
    """Whether its builds share a daemon, which `stop` ends; starting Pants takes ten seconds."""
    pants_at: str = "./pants"
    """Path of the launcher, from the root."""

    @property
    def beside(self) -> Path:
        """The folder for files outside the repository: reports, and its own caches."""
        return self.root.parent / f"{self.root.name}-beside"

    def environment(self) -> dict[str, str]:
        """The environment of its builds."""
        caches = self.beside if self.cold else _machine_caches()
        return {
            **os.environ,
            "INSEAM_DOCKER": "off",
            "PANTS_LOCAL_STORE_DIR": str(caches / "lmdb_store"),
            "PANTS_NAMED_CACHES_DIR": str(caches / "named_caches"),
            "PANTS_PANTSD": str(self.daemon).lower(),
            **self.env,
        }

    def pants(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs Pants."""
        end = time.monotonic() + _DAEMON_STARTS_WITHIN
        result = self._run(*args)
        while _DAEMON_IS_SLOW.search(result.stderr) and time.monotonic() < end:
            result = self._run(*args)
        if check and result.returncode != 0:
            raise AssertionError(f"pants {' '.join(args)} failed:\n{result.stderr[-8000:]}")
        return result

    def _run(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*launcher(self.pants_at), "--no-dynamic-ui", *args],
            cwd=self.root,
            env=self.environment(),
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Sends a signal to the daemon, if there is one."""
        for path in (self.root / ".pids").glob("**/pid"):
            try:
                os.kill(int(path.read_text()), number)
            except (ProcessLookupError, ValueError):
                continue

    def remove(self) -> None:
        """Deletes it and the files next to it, which may be large."""
        self.stop()
        for folder in (self.root, self.beside):
            shutil.rmtree(folder, ignore_errors=True)

    def reported(self, *args: str) -> Report:
        """Runs Pants and returns what it did."""
        self.beside.mkdir(exist_ok=True)
        path = self.beside / "report.json"
        path.unlink(missing_ok=True)
        result = self.pants(*options(path), *args)
        return read_report(path, result.stderr)

    def layers(self, *services: str) -> dict[str, Path]:
        """The folder of exported layers of each service."""
        self.pants("export-codegen", *(f"src/python/{name}:app#layers" for name in services))
        exported = self.root / "dist/codegen/src/python"
        return {name: exported / name / "app.layers" for name in services}


_BESIDE = shutil.ignore_patterns("__pycache__", "tests", "dist", ".git", ".*.d", "*.pex", "*.pex_*")


def _beside(folder: str, names: list[str]) -> set[str]:
    """Files that are not in the repository: tests, their PEXes, links to the caches of Pants."""
    return {*_BESIDE(folder, names), *(name for name in names if Path(folder, name).is_symlink())}


def _machine_caches() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "pants")


def checkout(
    root: Path,
    env: Mapping[str, str] | None = None,
    umask: int = 0o022,
    *,
    cold: bool = False,
    daemon: bool = True,
) -> Checkout:
    """Copies the repository in the test's sandbox to `root`."""
    shutil.copytree(Path.cwd(), root, ignore=_beside)
    return Checkout(root, env or {}, umask, cold, daemon)
